import { EngineError } from '@engine/linux'

/**
 * Reads `--chmod`: octal (`755`, `0644`) or symbolic (`u=rwX,go=rX`, `a+x`), chmod(1).
 * @returns computes a copy's permission bits from its source's
 * @throws EngineError invalid-argument
 */
export function parseMode(text: string): (mode: number, directory: boolean) => number {
  if (text === '') return (mode) => mode
  if (isOctal(text)) {
    const octal = Number.parseInt(text, 8)
    return () => octal
  }
  const changes = text.split(',').map((clause) => parseClause(clause, text))
  return (mode, directory) => changes.reduce((result, change) => change(result, directory), mode)
}

/**
 * Permission bits of directories that are made for the destination of a COPY with this `--chmod`: as BuildKit makes them, an octal mode
 * counts without its special bits and as a umask of 022 leaves it, a symbolic one not at all.
 */
export function madeDirectoryMode(text: string): number {
  return text !== '' && isOctal(text) ? Number.parseInt(text, 8) & 0o755 : 0o755
}

function isOctal(text: string): boolean {
  return /^0*[0-7]{1,4}$/.test(text)
}

type Change = (mode: number, directory: boolean) => number

const who: Readonly<Record<string, number>> = { u: 0o700, g: 0o070, o: 0o007, a: 0o777 }
const bits: Readonly<Record<string, number>> = { r: 0o444, w: 0o222, x: 0o111 }

function parseClause(clause: string, text: string): Change {
  const match = /^([ugoa]*)((?:[+=-][rwxXst]*|[+=-][ugo])+)$/.exec(clause)
  if (match === null) throw new EngineError('invalid-argument', `invalid chmod parameter: '${text}'. it should be octal string and between 0 and 07777`)
  const classes = [...(match[1] || 'a')].reduce((mask, letter) => mask | (who[letter] as number), 0)
  const special = (match[1] || 'a').includes('a')
  const changes = [...(match[2] as string).matchAll(/([+=-])([rwxXstugo]*)/g)].map(([, operator = '', letters = '']): Change => (mode, directory) => {
    let set = 0
    for (const letter of letters) {
      if (letter in bits) set |= bits[letter] as number
      else if (letter === 'X') set |= directory || (mode & 0o111) !== 0 ? 0o111 : 0
      else if (letter === 's') set |= (special || classes & 0o700 ? 0o4000 : 0) | (special || classes & 0o070 ? 0o2000 : 0)
      else if (letter === 't') set |= 0o1000
      else set |= copied(mode, letter)
    }
    const mask = classes | 0o7000
    const wanted = set & mask
    if (operator === '+') return mode | wanted
    if (operator === '-') return mode & ~wanted
    const cleared = (special || classes & 0o700 ? 0o4000 : 0) | (special || classes & 0o070 ? 0o2000 : 0) | (special ? 0o1000 : 0)
    return (mode & ~(classes | cleared)) | wanted
  })
  return (mode, directory) => changes.reduce((result, change) => change(result, directory), mode)
}

/** `g=u`: the permissions of one class, spread over all three. */
function copied(mode: number, letter: string): number {
  const shift = letter === 'u' ? 6 : letter === 'g' ? 3 : 0
  return ((mode >> shift) & 7) * 0o111
}
