/** Reads `--restart`: `policy[:count]`. @throws Error with docker's text */
export function readRestartPolicy(given: string | undefined): { Name: string; MaximumRetryCount: number } {
  if (given === undefined) return { Name: 'no', MaximumRetryCount: 0 }
  const at = given.indexOf(':')
  const [Name, count] = at === -1 ? [given, undefined] : [given.slice(0, at), given.slice(at + 1)]
  if (count === undefined) return { Name, MaximumRetryCount: 0 }
  if (Name === '') throw new Error('invalid restart policy format: no policy provided before colon')
  if (!/^[+-]?[0-9]+$/.test(count)) throw new Error('invalid restart policy format: maximum retry count must be an integer')
  return { Name, MaximumRetryCount: Number(count) }
}
