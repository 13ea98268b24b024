// A reporter of node:test: the files in which a test failed, one a line, as soon as it has; and on standard error what failed and
// why, and at the end which files took longest. The reporters that node:test has tell a failure only when all is over.
import { relative, resolve } from 'node:path'
import { root } from './places.mjs'

/** Files that are named for their time. */
const named = 8
/** Lines of an error that are shown at once. */
const shown = 12
/** Lines kept of what a file writes to standard error: all that there is to know of one that was killed, or that V8 ended. */
const kept = 30

/** @param {AsyncIterable<{ type: string, data: { file?: string, name?: string, nesting?: number, message?: string, details?: { duration_ms?: number, error?: unknown } } }>} events */
// node:test wants a default export.
// oxlint-disable-next-line import/no-default-export
export default async function* failedFiles(events) {
  const failed = new Set()
  /** @type {Map<string, number>} */
  const seconds = new Map()
  /** @type {Map<string, string[]>} */
  const errors = new Map()
  for await (const { type, data } of events) {
    const { file, name, nesting, details } = data
    if (file !== undefined && type === 'test:stderr') errors.set(file, [...(errors.get(file) ?? []), ...(data.message ?? '').split('\n').filter((line) => line.trim() !== '')].slice(-kept))
    if (file === undefined || (type !== 'test:fail' && type !== 'test:pass')) continue
    if (nesting === 0) seconds.set(file, (seconds.get(file) ?? 0) + (details?.duration_ms ?? 0) / 1000)
    if (type === 'test:pass') continue
    process.stderr.write(`\n✖ ${relative(root, file)}: ${name ?? ''}\n${reason(details?.error)}`)
    // The test that bears the file's name is its process.
    if (name !== undefined && resolve(root, name) === resolve(file)) process.stderr.write([ending(details?.error), ...(errors.get(file) ?? [])].map((line) => `  | ${line}\n`).join(''))
    if (failed.has(file)) continue
    failed.add(file)
    yield `${file}\n`
  }
  const slowest = [...seconds].sort((a, b) => b[1] - a[1]).slice(0, named)
  process.stderr.write(`\nslowest: ${slowest.map(([file, time]) => `${relative(root, file)} ${time.toFixed(0)} s`).join(', ')}\n`)
}

/** The first lines of what was thrown: the whole of it comes at the end. Nothing for a suite, which fails because its tests do.
 * @param {unknown} error @returns {string} */
function reason(error) {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  const text = cause instanceof Error ? cause.message : String(cause ?? '')
  if (text === '' || /^\d+ subtests? failed$/.test(text)) return ''
  return text.split('\n').slice(0, shown).map((line) => `    ${line}\n`).join('')
}

/** How a file's process ended: node:test notes it on the error of the file's own test.
 * @param {unknown} error @returns {string} */
function ending(error) {
  const { exitCode, signal } = /** @type {{ exitCode?: unknown, signal?: unknown }} */ (error ?? {})
  return typeof signal === 'string' ? `its process was ended by ${signal}` : `its process ended with status ${String(exitCode)}`
}
