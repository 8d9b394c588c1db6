/**
 * Text on a terminal: what it occupies, and how it is cut. Names come from outside (container labels, pods, units),
 * so whatever a terminal would obey is taken out of them first.
 */

/** Controls, and the marks that turn the direction of writing: none may reach the terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g
const PRINTABLE_ASCII = /^[ -~]*$/
const ZERO_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}]$/u
/** East Asian Wide and Fullwidth (Unicode TR 11), and what is drawn as an emoji: two columns. */
const DOUBLE_WIDTH =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}\p{Emoji_Presentation}]$/u

export function sanitize(text: string): string {
  return PRINTABLE_ASCII.test(text) ? text : text.replace(UNSAFE, '\ufffd')
}

function widthOfCharacter(character: string): number {
  if (ZERO_WIDTH.test(character)) return 0
  return DOUBLE_WIDTH.test(character) ? 2 : 1
}

/** Terminal columns that the text occupies. */
export function displayWidth(text: string): number {
  if (PRINTABLE_ASCII.test(text)) return text.length
  let width = 0
  for (const character of text) width += widthOfCharacter(character)
  return width
}

/** Padded with spaces to `width` columns; longer text is left as it is. */
export function pad(text: string, width: number, align: 'left' | 'right'): string {
  const spaces = ' '.repeat(Math.max(0, width - displayWidth(text)))
  return align === 'left' ? text + spaces : spaces + text
}

/**
 * At most `width` columns: the middle gives way, because both the start (the name) and the end (a pod's hash, a port)
 * tell things apart. `minTail` columns of the end are kept where they fit.
 */
export function truncateMiddle(text: string, width: number, ellipsis: string, minTail = 0): string {
  if (displayWidth(text) <= width) return text
  const room = width - displayWidth(ellipsis)
  if (room <= 0) return take([...text], width).join('')
  const tailWidth = Math.min(Math.max(Math.floor(room * 0.45), minTail), room - 1)
  const characters = [...text]
  const tail = take(characters.toReversed(), tailWidth).toReversed().join('')
  const head = take(characters, room - displayWidth(tail)).join('')
  return head + ellipsis + tail
}

/** At most `width` columns, the end gives way. */
export function truncateEnd(text: string, width: number, ellipsis: string): string {
  if (displayWidth(text) <= width) return text
  return take([...text], width - displayWidth(ellipsis)).join('') + ellipsis
}

/** The longest start that fits. */
function take(characters: readonly string[], width: number): readonly string[] {
  let used = 0
  let count = 0
  for (const character of characters) {
    used += widthOfCharacter(character)
    if (used > width) break
    count++
  }
  return characters.slice(0, count)
}
