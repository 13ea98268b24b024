import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { describe, test } from 'node:test'
import { parseProcessStat, processArguments, processStat } from './process-stat.ts'

describe('the stat of a process', () => {
  test('survives names with spaces and parentheses', () => {
    const fields = ['Z', ...Array.from({ length: 18 }, (_, i) => String(i)), '4711', ...Array.from({ length: 29 }, () => '0'), '256']
    assert.deepEqual(parseProcessStat(`7 (a) b ) Z ) ${fields.join(' ')}\n`), { state: 'Z', startTime: '4711', end: { code: 1 } })
    assert.equal(parseProcessStat('7 (x'), undefined)
  })

  test('is undefined for a process that is not there', () => {
    const pid = Number(execFileSync('sh', ['-c', 'echo $$'], { encoding: 'utf8' }))
    assert.equal(processStat(pid), undefined)
    assert.equal(processArguments(pid), undefined)
    assert.deepEqual(processArguments(process.pid)?.[0], process.argv0)
    assert.match(processStat(process.pid)?.startTime ?? '', /^\d+$/)
  })

  test('is an error, and not "no such process", when no descriptor is left', () => {
    const script = `
      const { processStat } = await import(${JSON.stringify(new URL('process-stat.ts', import.meta.url).href)})
      const { openSync } = await import('node:fs')
      processStat(process.pid)
      try { for (;;) openSync('/dev/null') } catch {}
      try { console.log(processStat(process.pid)) } catch (error) { console.log(error.errnoName) }`
    const output = execFileSync('sh', ['-c', 'ulimit -n 64; exec "$0" --input-type=module -e "$1"', process.execPath, script], { encoding: 'utf8' })
    assert.equal(output, 'EMFILE\n')
    })
})
