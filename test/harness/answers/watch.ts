import { closeSync, existsSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import { after, afterEach } from 'node:test'
import { AnswerCheck } from './answer-check.ts'
import type { AnswerPart } from './answer-part.ts'
import { Contract } from './contract.ts'

/** Files of answers that daemons of this test file write, and how far each has been read. */
const watched = new Map<string, number>()
/** What was found in answers of daemons that have gone, or outside of a test. */
const found: string[] = []
const check = Contract.isThere ? new AnswerCheck(Contract.load()) : undefined

// Programs that are no tests start daemons too (the bench, the recorder of parity): they have no hooks.
const isTest = process.argv[1]?.endsWith('.test.ts') === true
if (isTest && check === undefined) process.stderr.write('answers are not held against the description of the API: ../shared/data/api is not there\n')
if (isTest && check !== undefined) {
  afterEach(failForViolations)
  after(failForViolations)
}

function failForViolations(): void {
  for (const file of watched.keys()) read(file)
  const lines = [...new Set(found.splice(0))]
  if (lines.length > 0) throw new Error(`answers that are not as Docker's description of the API has them:\n${lines.slice(0, 40).join('\n')}`)
}

/**
 * Has a daemon's answers checked: each violation fails the test that was running.
 * @param directory where what is written goes
 * @returns what the daemon's node is started with, and `release`, to be called before the directory goes
 */
export function watchAnswers(directory: string): { readonly options: readonly string[]; readonly environment: Readonly<Record<string, string>>; release(): void } {
  if (!isTest || check === undefined) return { options: [], environment: {}, release: () => undefined }
  const file = join(directory, 'answers')
  const program = join(directory, 'answer-recorder.mjs')
  // Without its types: node would load a compiler into engined to take them off.
  writeFileSync(program, stripTypeScriptTypes(readFileSync(join(import.meta.dirname, 'recorder.ts'), 'utf8')))
  watched.set(file, 0)
  return {
    options: ['--import', program],
    environment: { ENGINE_TEST_ANSWERS: file },
    release() {
      read(file)
      watched.delete(file)
    },
  }
}

/** Reads on in a file of answers. */
function read(file: string): void {
  if (!existsSync(file)) return
  const from = watched.get(file) ?? 0
  const bytes = readFrom(file, from)
  // The last line may still be in writing.
  const end = bytes.lastIndexOf(10) + 1
  watched.set(file, from + end)
  for (const line of bytes.subarray(0, end).toString().split('\n')) {
    if (line !== '') found.push(...(check?.violations(JSON.parse(line) as AnswerPart) ?? []))
  }
}

function readFrom(file: string, position: number): Buffer {
  const fd = openSync(file, 'r')
  try {
    const chunks: Buffer[] = []
    for (let at = position; ;) {
      const chunk = Buffer.alloc(1 << 20)
      const size = readSync(fd, chunk, 0, chunk.length, at)
      if (size === 0) return Buffer.concat(chunks)
      chunks.push(chunk.subarray(0, size))
      at += size
    }
  } finally {
    closeSync(fd)
  }
}
