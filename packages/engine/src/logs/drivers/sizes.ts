const units = 'kmgtp'

function parse(text: string, base: number): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?([kmgtp]?)i?b?$/i.exec(text)
  if (match === null) return undefined
  const power = match[2] === undefined || match[2] === '' ? 0 : units.indexOf(match[2].toLowerCase()) + 1
  return Math.floor(Number(match[1]) * base ** power)
}

/** go-units' FromHumanSize: decimal units, `10m`, `1.5 GB`. undefined for what is none. */
export function parseDecimal(text: string): number | undefined {
  return parse(text, 1000)
}

/** go-units' RAMInBytes: powers of 1024. undefined for what is none. */
export function parseMemory(text: string): number | undefined {
  return parse(text, 1024)
}
