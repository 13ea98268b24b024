import { print } from '../terminal/output.ts'

/** Asks for a yes on standard input; everything else, and its end, is a no. */
export async function confirm(question: string): Promise<boolean> {
  print(`${question} [y/N] `)
  let answer = ''
  for await (const chunk of process.stdin) {
    answer += String(chunk)
    if (answer.includes('\n')) break
  }
  return /^y(es)?$/i.test((answer.split('\n')[0] ?? '').trim())
}
