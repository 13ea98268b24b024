/** Text to add to an error about an unknown word: ` (did you mean FROM?)`, or nothing when no option is close. */
export function didYouMean(word: string, options: readonly string[], caseSensitive: boolean): string {
  const value = caseSensitive ? word : word.toLowerCase()
  let match: string | undefined
  let nearest = 3
  for (const option of options) {
    const candidate = caseSensitive ? option : option.toLowerCase()
    if (candidate === value) return ''
    const distance = editDistance(value, candidate)
    if (distance >= nearest) continue
    match = caseSensitive ? candidate : likeIn(candidate, word)
    nearest = distance
  }
  return match === undefined ? '' : ` (did you mean ${match}?)`
}

function likeIn(match: string, word: string): string {
  return word !== word.toLowerCase() && word === word.toUpperCase() ? match.toUpperCase() : match
}

/** Levenshtein's distance: the fewest insertions, deletions and replacements that make `b` of `a`. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1))
    }
    row = next
  }
  return row[b.length] as number
}
