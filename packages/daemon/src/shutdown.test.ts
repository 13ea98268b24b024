import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { textLine } from './log.ts'
import { jobType, unitOf } from './shutdown.ts'

describe('why systemd ends the service', () => {
  it('is the type of the unit\'s job', () => {
    const jobs = ['  12 other.service        start   waiting', '  37 engine.service       restart running', ''].join('\n')
    assert.equal(jobType(jobs, 'engine.service'), 'restart')
    assert.equal(jobType('37 engine.service stop running\n', 'engine.service'), 'stop')
    assert.equal(jobType('37 my-engine.service stop running\n', 'engine.service'), undefined)
    assert.equal(jobType('No jobs running.\n', 'engine.service'), undefined)
  })

  it('is asked for the unit that the process belongs to', () => {
    assert.equal(unitOf('0::/system.slice/engine.service\n'), 'engine.service')
    assert.equal(unitOf('12:memory:/x\n1:name=systemd:/engine.slice/engine.service/sub\n0::/\n'), 'engine.service')
    assert.equal(unitOf('0::/user.slice/user-0.slice/session-1.scope\n'), undefined)
    assert.equal(unitOf('5:cpu:/system.slice/other.service\n0::/\n'), undefined)
  })
})

describe('the log as text', () => {
  const record = { level: 40, time: 0, msg: 'what', reqId: 'r', path: '/a b', n: 5 }

  it('has the time, or journald\'s priority', () => {
    assert.equal(textLine(record, false), '1970-01-01T00:00:00.000Z warn  what path="/a b" n=5 request=r\n')
    assert.equal(textLine(record, true), '<4>what path="/a b" n=5 request=r\n')
  })

  it('has the stack of an error, and never more lines than one without it', () => {
    assert.match(textLine({ ...record, err: { stack: 'E\n at x' } }, true), /request=r E\n {3}at x\n$/)
    assert.equal(textLine({ level: 30, msg: 'a', x: 'b\nc' }, true), '<6>a x="b\\nc"\n')
  })
})
