import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import { versions, type VersionedAnswer } from './ask.ts'

const file = join(import.meta.dirname, 'recorded.json')

const texts = z.array(z.string())
/** What is answered from a version on downwards: the newest whole, older ones as what they differ in from the one before. */
const Step = z.object({ version: z.string(), status: z.number(), type: z.string(), message: z.string().optional(), more: texts, less: texts })
const Recording = z.object({ server: z.string(), requests: z.record(z.string(), z.array(Step)) })

type Step = z.infer<typeof Step>

/** Steps down through the versions: only where an answer changes. */
export function stepsOf(answers: Readonly<Record<string, VersionedAnswer>>): Step[] {
  const steps: Step[] = []
  let last: VersionedAnswer = { status: 0, type: '', fields: [] }
  for (const version of versions) {
    const answer = answers[version]
    if (answer === undefined) continue
    const more = answer.fields.filter((field) => !last.fields.includes(field))
    const less = last.fields.filter((field) => !answer.fields.includes(field))
    if (more.length + less.length > 0 || answer.status !== last.status || answer.type !== last.type || answer.message !== last.message) {
      steps.push({ version, status: answer.status, type: answer.type, ...(answer.message === undefined ? {} : { message: answer.message }), more, less })
    }
    last = answer
  }
  return steps
}

/** What a real Docker Engine answered: for each request, for each version. */
export function readRecording(): Record<string, Record<string, VersionedAnswer>> {
  const { requests } = Recording.parse(JSON.parse(readFileSync(file, 'utf8')))
  return Object.fromEntries(Object.entries(requests).map(([name, steps]) => {
    const answers: Record<string, VersionedAnswer> = {}
    let current: VersionedAnswer = { status: 0, type: '', fields: [] }
    for (const version of versions) {
      const step = steps.find((one) => one.version === version)
      if (step !== undefined) {
        const { status, type, message, more, less } = step
        current = { status, type, ...(message === undefined ? {} : { message }), fields: [...current.fields.filter((field) => !less.includes(field)), ...more].sort() }
      }
      answers[version] = current
    }
    return [name, answers]
  }))
}

export function writeRecording(server: string, answers: Readonly<Record<string, Readonly<Record<string, VersionedAnswer>>>>): void {
  const requests = Object.fromEntries(Object.entries(answers).map(([name, byVersion]) => [name, stepsOf(byVersion)]))
  writeFileSync(file, `${JSON.stringify({ server, requests }, null, 1)}\n`)
}
