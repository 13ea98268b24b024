import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readQuery } from './query.ts'
import { ImageBuildQuery } from './schemas/build.ts'
import { ContainerDeleteQuery, ContainerListQuery, ContainerLogsQuery } from './schemas/container.ts'
import { parseFilters } from './schemas/filters.ts'
import { boolValue, parseTime } from './schemas/parameters.ts'

describe('query', () => {
  it('has booleans by moby\'s rule', () => {
    for (const yes of ['1', 'true', 'True', 'yes', 'y', 'on', 'xyz', '2']) assert.equal(boolValue(yes), true, yes)
    for (const no of ['', '0', 'false', 'FALSE', 'no', 'none', ' 0 ']) assert.equal(boolValue(no), false, no)
    assert.deepEqual(readQuery(ContainerDeleteQuery, 'force=1&v=&link=false&force=0'), { force: true, v: false, link: false })
  })

  it('takes the first of a parameter, all of a list, and ignores what it does not know', () => {
    const query = readQuery(ImageBuildQuery, 't=a%3A1&t=b+c&dockerfile=D&dockerfile=E&unknown=1&rm=0')
    assert.deepEqual([query.t, query.dockerfile, query.rm, query.forcerm], [['a:1', 'b c'], 'D', false, false])
  })

  it('has defaults for everything', () => {
    const query = readQuery(ContainerListQuery, '')
    assert.deepEqual(query, { all: false, size: false, filters: new Map() })
    assert.equal(readQuery(ImageBuildQuery, '').rm, true)
    assert.equal(readQuery(ContainerLogsQuery, 'tail=all').tail, undefined)
    assert.equal(readQuery(ContainerLogsQuery, 'tail=-1').tail, undefined)
    assert.equal(readQuery(ContainerLogsQuery, 'tail=0').tail, 0)
  })
})

describe('filters', () => {
  it('have two forms', () => {
    assert.deepEqual(parseFilters('{"label":["a=b","c","c"],"x":[]}'), new Map([['label', ['a=b', 'c']], ['x', []]]))
    assert.deepEqual(parseFilters('{"label":{"a=b":true,"c":false}}'), new Map([['label', ['a=b', 'c']]]))
    assert.deepEqual(parseFilters('{}'), new Map())
    assert.deepEqual(parseFilters(''), new Map())
  })

  it('that are anything else are refused', () => {
    for (const text of ['{', '[]', '"a"', '{"a":"b"}', '{"a":[1]}', '{"a":{"b":1}}', 'null']) assert.equal(parseFilters(text), undefined, text)
  })
})

describe('times', () => {
  it('are nanoseconds, from seconds with a fraction or RFC 3339', () => {
    assert.equal(parseTime('1136073600'), 1_136_073_600_000_000_000n)
    assert.equal(parseTime('1136073600.000000001'), 1_136_073_600_000_000_001n)
    assert.equal(parseTime('1.5'), 1_500_000_000n)
    assert.equal(parseTime('1.1234567899'), 1_123_456_789n)
    assert.equal(parseTime('2006-01-01T00:00:00Z'), 1_136_073_600_000_000_000n)
    assert.equal(parseTime('2006-01-01T01:00:00.000000001+01:00'), 1_136_073_600_000_000_001n)
    for (const text of ['x', '1.', '1,5', '2006-01-01', '99999999999999999999']) assert.equal(parseTime(text), undefined, text)
  })
})
