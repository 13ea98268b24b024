/** Times by subject, measured in turns, so that what disturbs the machine disturbs all of them; or what a run itself says that it took. */
export async function interleaved(subjects: Readonly<Record<string, () => Promise<number | void>>>, rounds: number, warmUp = 2): Promise<Record<string, number[]>> {
  const times: Record<string, number[]> = {}
  for (let round = -warmUp; round < rounds; round++) {
    for (const [name, run] of Object.entries(subjects)) {
      const start = performance.now()
      const said = await run()
      if (round >= 0) (times[name] ??= []).push(said ?? performance.now() - start)
    }
  }
  return times
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** Prints one row: medians, and the ratio of the first to the second. */
export function report(what: string, times: Readonly<Record<string, readonly number[]>>, target?: number): void {
  const [first, second] = Object.entries(times)
  if (first === undefined) return
  const own = median(first[1])
  let line = `${what.padEnd(44)} ${first[0]} ${own.toFixed(1)} ms`
  if (second !== undefined) {
    const other = median(second[1])
    line += `   ${second[0]} ${other.toFixed(1)} ms   ratio ${(own / other).toFixed(2)}${target === undefined ? '' : ` (wanted: at most ${target})`}`
  }
  process.stdout.write(`${line}\n`)
}
