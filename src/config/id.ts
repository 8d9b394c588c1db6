/** `type` or `type/name`. */
export interface ParsedId {
  readonly type: string
  readonly name: string
  toString(): string
}

/** The Collector's component.Type: ASCII letters, digits, underscores. */
const TYPE = /^[a-zA-Z][0-9a-zA-Z_]{0,62}$/
/** The Collector's component names: anything printable that is no space. */
const NAME = /^[^\p{Z}\p{C}\p{S}]+$/u
const MAX_NAME_BYTES = 1024

/**
 * Spaces around the parts are not part of them.
 * @throws Error worded as the Collector's, without the place
 */
export function parseId(text: string): ParsedId {
  const slash = text.indexOf('/')
  const type = (slash < 0 ? text : text.slice(0, slash)).trim()
  const name = slash < 0 ? '' : text.slice(slash + 1).trim()
  if (type === '') {
    throw new Error(slash < 0 ? 'id must not be empty' : `in "${text}" id: the part before / should not be empty`)
  }
  if (slash >= 0 && name === '') throw new Error(`in "${text}" id: the part after / should not be empty`)
  if (!TYPE.test(type)) throw new Error(`in "${text}" id: invalid character(s) in type "${type}"`)
  const bytes = Buffer.byteLength(name)
  if (bytes > MAX_NAME_BYTES) {
    throw new Error(`in "${name}" id: name "${name}" is longer than ${MAX_NAME_BYTES} characters (${bytes} characters)`)
  }
  if (slash >= 0 && !NAME.test(name)) throw new Error(`in "${name}" id: invalid character(s) in name "${name}"`)
  return createId(type, name)
}

export function createId(type: string, name = ''): ParsedId {
  return { type, name, toString: () => (name === '' ? type : `${type}/${name}`) }
}
