import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { isMacAddress, readAddress, readExtraHost, readLink, readSearchDomain } from './addresses.ts'
import { readCsv } from './csv.ts'
import { readDuration, readMoment } from './durations.ts'
import { toFilters } from './filters.ts'
import { readGlobals } from './globals.ts'
import { checkImageName, familiarImage, readReference, withTag } from './image-reference.ts'
import { readKeyValueFile, readLabel, readVariable, toMap, toMapWithNull } from './key-values.ts'
import { readBytes, readBytesOrUnlimited, readCpus, readInteger } from './sizes.ts'

describe('sizes', () => {
  it('reads bytes in powers of 1024', () => {
    const cases: [string, number][] = [['0', 0], ['1024', 1024], ['64m', 64 << 20], ['64M', 64 << 20], ['64MB', 64 << 20], ['64MiB', 64 << 20], ['1.5k', 1536], ['2 g', 2 ** 31], ['1t', 2 ** 40], ['10b', 10]]
    for (const [given, bytes] of cases) assert.equal(readBytes(given), bytes, given)
    for (const given of ['', 'm', '-1', '1x', '1mm', '1 .5']) assert.throws(() => readBytes(given), { message: `invalid size: '${given}'` })
    assert.equal(readBytesOrUnlimited('-1'), -1)
    assert.throws(() => readBytesOrUnlimited('-2'), { message: "invalid size: '-2'" })
  })

  it('reads processors and integers', () => {
    assert.equal(readCpus('0.5'), 500_000_000)
    assert.equal(readCpus('1.25'), 1_250_000_000)
    assert.equal(readCpus('1/4'), 250_000_000)
    assert.throws(() => readCpus('x'), { message: 'failed to parse x as a rational number' })
    assert.throws(() => readCpus('1.1111111111'), { message: 'value is too precise' })
    assert.deepEqual(['10', '-1', '0x10', '010', '+3'].map(readInteger), [10, -1, 16, 8, 3])
    assert.throws(() => readInteger('1.5'), { message: 'strconv.ParseInt: parsing "1.5": invalid syntax' })
  })
})

describe('durations', () => {
  it('reads them as Go does, in nanoseconds', () => {
    const cases: [string, number][] = [['0', 0], ['1s', 1e9], ['1.5s', 1.5e9], ['1h30m', 5400e9], ['300ms', 3e8], ['-2m', -120e9], ['5us', 5000], ['.5s', 5e8]]
    for (const [given, nanoseconds] of cases) assert.equal(readDuration(given), nanoseconds, given)
    assert.throws(() => readDuration('x'), { message: 'time: invalid duration "x"' })
    assert.throws(() => readDuration('1'), { message: 'time: missing unit in duration "1"' })
    assert.throws(() => readDuration('1y'), { message: 'time: unknown unit "y" in duration "1y"' })
  })

  it('reads moments as seconds since the epoch', () => {
    const now = Date.parse('2026-11-23T12:00:00Z')
    assert.equal(readMoment('10m', now), '1795434600.000000000')
    assert.equal(readMoment('2026-11-23T12:00:00Z', now), '1795435200.000000000')
    assert.equal(readMoment('2026-11-23T12:00:00.25+01:00', now), '1795431600.250000000')
    assert.equal(readMoment('1795435200.5', now), '1795435200.5')
    assert.throws(() => readMoment('foo', now), { message: 'failed to parse value as time or duration: "foo"' })
  })
})

describe('csv', () => {
  it('splits a record with quotes', () => {
    assert.deepEqual(readCsv('type=bind,"src=/a,b",ro'), ['type=bind', 'src=/a,b', 'ro'])
    assert.deepEqual(readCsv('"a""b",'), ['a"b', ''])
  })

  it("complains as Go's encoding/csv", () => {
    assert.throws(() => readCsv('a"b'), { message: 'parse error on line 1, column 2: bare " in non-quoted-field' })
    assert.throws(() => readCsv(''), { message: 'EOF' })
    assert.throws(() => readCsv('"a'), /extraneous or missing " in quoted-field/)
  })
})

describe('keys and values', () => {
  it('takes a bare variable from the environment, where it is', () => {
    process.env['ENGINE_TEST_VARIABLE'] = 'here'
    assert.equal(readVariable('ENGINE_TEST_VARIABLE'), 'ENGINE_TEST_VARIABLE=here')
    assert.equal(readVariable('ENGINE_TEST_NOT_THERE'), 'ENGINE_TEST_NOT_THERE')
    assert.equal(readVariable('A=b=c'), 'A=b=c')
    assert.throws(() => readVariable('=x'), { message: 'invalid environment variable: =x' })
    assert.throws(() => readLabel('=x'), { message: "invalid label '=x': empty name" })
    delete process.env['ENGINE_TEST_VARIABLE']
  })

  it('makes maps', () => {
    assert.deepEqual(toMap(['a=b=c', 'd']), { a: 'b=c', d: '' })
    assert.deepEqual(toMapWithNull(['a=b', 'd']), { a: 'b', d: null })
    assert.deepEqual(toFilters([['label', 'a=b'], ['label', 'c'], ['name', 'x']]), { label: { 'a=b': true, c: true }, name: { x: true } })
    assert.equal(toFilters([]), undefined)
  })

  it('reads env files', () => {
    const directory = mkdtempSync(join(tmpdir(), 'engine-cli-'))
    try {
      const path = join(directory, 'env')
      writeFileSync(path, '\uFEFFA=1\n# no\n\n  B=2 \nPATH\nENGINE_TEST_NOT_THERE\nQ="x"\r\n')
      assert.deepEqual(readKeyValueFile(path, true), ['A=1', 'B=2 ', `PATH=${process.env['PATH']}`, 'Q="x"'])
      assert.deepEqual(readKeyValueFile(path, false), ['A=1', 'B=2 ', 'Q="x"'])
      writeFileSync(path, 'A B=1\n')
      assert.throws(() => readKeyValueFile(path, true), { message: `invalid env file (${path}): variable 'A B' contains whitespaces` })
      writeFileSync(path, '=1\n')
      assert.throws(() => readKeyValueFile(path, true), { message: `invalid env file (${path}): no variable name on line '=1'` })
      assert.throws(() => readKeyValueFile(join(directory, 'no'), true), { message: `open ${join(directory, 'no')}: no such file or directory` })
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})

describe('addresses', () => {
  it('checks what flags take', () => {
    assert.equal(readAddress('1.1.1.1'), '1.1.1.1')
    assert.throws(() => readAddress('x'), { message: 'IP address is not correctly formatted: x' })
    assert.equal(readSearchDomain('a.example'), 'a.example')
    assert.throws(() => readSearchDomain('a b'), { message: 'a b is not a valid domain' })
    assert.deepEqual(['a:1.2.3.4', 'b=::1', 'c:[::1]', 'd:host-gateway'].map(readExtraHost), ['a:1.2.3.4', 'b:::1', 'c:::1', 'd:host-gateway'])
    assert.throws(() => readExtraHost('x'), { message: 'bad format for add-host: "x"' })
    assert.throws(() => readExtraHost('x:y'), { message: 'invalid IP address in add-host: "y"' })
    assert.throws(() => readLink('a:b:c'), { message: 'bad format for links: a:b:c' })
    assert.deepEqual(['02:42:ac:11:00:02', '02-42-ac-11-00-02', '0242.ac11.0002', 'x', '02:42'].map(isMacAddress), [true, true, true, false, false])
  })
})

describe('image references', () => {
  it('takes them apart for the API', () => {
    assert.deepEqual(readReference('b:c'), { repository: 'docker.io/library/b', tag: 'c' })
    assert.deepEqual(readReference('me/b'), { repository: 'docker.io/me/b', tag: '' })
    assert.deepEqual(readReference('localhost:5000/x/y:1'), { repository: 'localhost:5000/x/y', tag: '1' })
    assert.deepEqual(readReference('quay.io/a'), { repository: 'quay.io/a', tag: '' })
    assert.throws(() => readReference('Foo'), { message: 'invalid reference format: repository name (library/Foo) must be lowercase' })
    for (const given of ['', 'a b', 'a//b', '-a', 'a:b:c', 'a:']) assert.throws(() => readReference(given), { message: 'invalid reference format' }, given)
  })

  it('completes and shortens names', () => {
    assert.equal(withTag('docker.io/library/a'), 'a:latest')
    assert.equal(withTag('localhost:5000/a'), 'localhost:5000/a:latest')
    assert.equal(withTag('a@sha256:00'), 'a@sha256:00')
    const id = 'a'.repeat(64)
    assert.equal(familiarImage(`sha256:${id}`, `sha256:${id}`), 'a'.repeat(12))
    assert.equal(familiarImage(`docker.io/library/x:1@sha256:${id}`, 'sha256:b'), 'x:1')
    assert.doesNotThrow(() => checkImageName(`x:1@sha256:${id}`))
    assert.doesNotThrow(() => checkImageName(id))
  })
})

describe('global flags', () => {
  const host = (words: string[], environment: Record<string, string> = {}): string => readGlobals(words, environment).host

  it('find the daemon: flag, ENGINE_HOST, DOCKER_HOST, default', () => {
    const both = { ENGINE_HOST: 'unix:///e', DOCKER_HOST: 'unix:///d' }
    assert.equal(host(['-H', 'unix:///f', 'ps'], both), 'unix:///f')
    assert.equal(host(['--host=tcp://1.2.3.4:5', 'ps'], both), 'tcp://1.2.3.4:5')
    assert.equal(host(['ps', '-H', 'x'], both), 'unix:///e')
    assert.equal(host(['ps'], { ENGINE_HOST: '', DOCKER_HOST: 'unix:///d' }), 'unix:///d')
    assert.equal(host(['ps']), 'unix:///run/engine.sock')
    assert.equal(host([], { ENGINE_HOST: 'http+unix://%2Frun%2Fx.sock' }), 'unix:///run/x.sock')
    assert.throws(() => host(['-H', 'a', '-H', 'b']), { message: 'Specify only one -H' })
  })
})
