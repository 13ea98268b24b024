/** `a=b,c=d`, sorted. */
export function joinLabels(labels: Readonly<Record<string, string>> | null | undefined): string {
  return Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`).sort().join(',')
}

/** Order of names in which runs of digits count as numbers, as docker sorts volumes and networks. */
export function naturalOrder(a: string, b: string): number {
  const parts = (text: string): string[] => text.match(/[0-9]+|[^0-9]+/g) ?? []
  const left = parts(a)
  const right = parts(b)
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const [x = '', y = ''] = [left[i], right[i]]
    if (x === y) continue
    const numbers = /^[0-9]/.test(x) && /^[0-9]/.test(y)
    const [m, n] = [x.replace(/^0+/, ''), y.replace(/^0+/, '')]
    if (numbers && m.length !== n.length) return m.length - n.length
    if (numbers && m !== n) return m < n ? -1 : 1
    return x < y ? -1 : 1
  }
  return left.length - right.length
}
