/** Doubly linked lists of small integers in typed arrays: a node is in at most one of them, every step is O(1). */
export interface Lists {
  newList(): number
  freeList(list: number): void
  /** At the front. The node must be in no list. */
  push(list: number, node: number): void
  /** Nothing where the node is in no list. */
  remove(node: number): void
  /** To the front of a list, from whichever it is in. */
  move(list: number, node: number): void
  /** -1: none. */
  first(list: number): number
  next(node: number): number
  last(list: number): number
}

const NONE = -1

export function createLists(): Lists {
  const heads: number[] = []
  const tails: number[] = []
  const free: number[] = []
  let previous = new Int32Array(0)
  let following = new Int32Array(0)
  let memberOf = new Int32Array(0)

  function grow(node: number): void {
    const capacity = Math.max(64, 2 ** Math.ceil(Math.log2(node + 1)))
    previous = extended(previous, capacity)
    following = extended(following, capacity)
    memberOf = extended(memberOf, capacity)
  }

  function push(list: number, node: number): void {
    if (node >= memberOf.length) grow(node)
    const head = heads[list]!
    previous[node] = NONE
    following[node] = head
    memberOf[node] = list
    if (head === NONE) tails[list] = node
    else previous[head] = node
    heads[list] = node
  }

  function remove(node: number): void {
    const list = memberOf[node] ?? NONE
    if (list === NONE) return
    const before = previous[node]!
    const after = following[node]!
    if (before === NONE) heads[list] = after
    else following[before] = after
    if (after === NONE) tails[list] = before
    else previous[after] = before
    memberOf[node] = NONE
  }

  return {
    newList() {
      const list = free.pop() ?? heads.length
      heads[list] = NONE
      tails[list] = NONE
      return list
    },
    freeList: (list) => void free.push(list),
    push,
    remove,
    move(list, node) {
      remove(node)
      push(list, node)
    },
    first: (list) => heads[list]!,
    next: (node) => following[node]!,
    last: (list) => tails[list]!,
  }
}

function extended(old: Int32Array, capacity: number): Int32Array<ArrayBuffer> {
  const array = new Int32Array(capacity).fill(NONE)
  array.set(old)
  return array
}
