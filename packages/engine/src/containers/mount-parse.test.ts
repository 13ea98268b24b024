import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseBind, parseMount, tmpfsOptions } from './mount-parse.ts'

test('binds as Docker 28.5 shows them', () => {
  assert.deepEqual(parseBind('/etc:/m1', ''), { point: { Type: 'bind', Source: '/etc', Destination: '/m1', Mode: '', RW: true, Propagation: 'rprivate' }, createSource: true })
  assert.deepEqual(parseBind('/etc/:/m2:ro', '').point, { Type: 'bind', Source: '/etc', Destination: '/m2', Mode: 'ro', RW: false, Propagation: 'rprivate' })
  assert.deepEqual(parseBind('/etc:/m8/../m9:rshared', '').point, { Type: 'bind', Source: '/etc', Destination: '/m9', Mode: 'rshared', RW: true, Propagation: 'rshared' })
  assert.deepEqual(parseBind('v:/m5', '').point, { Type: 'volume', Name: 'v', Source: '', Destination: '/m5', Driver: 'local', Mode: 'z', RW: true, Propagation: '' })
  assert.deepEqual(parseBind('v:/m7:nocopy', ''), { point: { Type: 'volume', Name: 'v', Source: '', Destination: '/m7', Driver: 'local', Mode: 'nocopy', RW: true, Propagation: '' }, noCopy: true })
  assert.deepEqual(parseBind('/m4', '').point, { Type: 'volume', Name: '', Source: '', Destination: '/m4', Driver: 'local', Mode: 'z', RW: true, Propagation: '' })
  assert.equal(parseBind('/m4:ro', '').point.RW, false)
})

test('binds that Docker refuses, in its words', () => {
  for (const [bind, message] of [
    ['/a:b', `invalid volume specification: '/a:b': invalid mount config for type "bind": invalid mount path: 'b' mount path must be absolute`],
    ['/a:/b:foo', 'invalid mode: foo'],
    ['/a:/b:ro,rw', 'invalid mode: ro,rw'],
    ['/a:/', `invalid volume specification: '/a:/': invalid mount config for type "bind": invalid specification: destination can't be '/'`],
    ['a:b:c:d', "invalid volume specification: 'a:b:c:d'"],
    [':/b', "invalid volume specification: ':/b'"],
    ['', "invalid volume specification: ''"],
  ] as const) assert.throws(() => parseBind(bind, ''), { code: 'invalid-argument', message })
})

test('mounts as Docker 28.5 shows them', () => {
  assert.deepEqual(parseMount({ Type: 'bind', Source: '/etc', Target: '/m2', ReadOnly: true, BindOptions: { Propagation: 'rslave', NonRecursive: true } }), {
    point: { Type: 'bind', Source: '/etc', Destination: '/m2', Mode: '', RW: false, Propagation: 'rslave' }, nonRecursive: true,
  })
  assert.deepEqual(parseMount({ Type: 'tmpfs', Target: '/m5', TmpfsOptions: { SizeBytes: 1048576, Mode: 0o700 } }), {
    point: { Type: 'tmpfs', Source: '', Destination: '/m5', Mode: '', RW: true, Propagation: '' }, tmpfs: ['nosuid', 'nodev', 'noexec', 'size=1048576', 'mode=700'],
  })
  assert.deepEqual(parseMount({ Type: 'volume', Source: 'v', Target: '/m3', VolumeOptions: { Subpath: 'x/y' } }).subpath, 'x/y')
})

test('mounts that Docker refuses, in its words', () => {
  for (const [mount, message] of [
    [{ Type: 'foo', Source: '/nope', Target: '/b' }, 'invalid mount config for type "foo": mount type unknown'],
    [{ Type: 'bind', Source: '/tmp', Target: 'b' }, `invalid mount config for type "bind": invalid mount path: 'b' mount path must be absolute`],
    [{ Type: 'bind', Target: '/b' }, 'invalid mount config for type "bind": field Source must not be empty'],
    [{ Type: 'bind', Source: 'x', Target: '/b' }, `invalid mount config for type "bind": invalid mount path: 'x' mount path must be absolute`],
    [{ Type: 'tmpfs', Source: '/x', Target: '/b' }, 'invalid mount config for type "tmpfs": field Source must not be specified'],
    [{ Type: 'tmpfs', Target: '/m3', TmpfsOptions: { Options: [['foo']] } }, 'invalid mount config for type "tmpfs": invalid option: foo'],
    [{ Type: 'bind', Source: '/etc', Target: '/m3', VolumeOptions: {} }, 'invalid mount config for type "bind": field VolumeOptions must not be specified'],
    [{ Type: 'bind', Source: '/etc', Target: '/m3', BindOptions: { Propagation: 'foo' } }, 'invalid mount config for type "bind": invalid propagation mode: foo'],
    [{ Type: 'volume', Source: 'v', Target: '/m', VolumeOptions: { Subpath: '../x' } }, 'invalid mount config for type "volume": subpath must be a relative path within the volume'],
  ] as const) assert.throws(() => parseMount(mount), { code: 'invalid-argument', message })
})

test('--tmpfs has defaults that a word takes back', () => {
  assert.deepEqual(tmpfsOptions(''), ['noexec', 'nosuid', 'nodev'])
  assert.deepEqual(tmpfsOptions('exec,size=64k'), ['nosuid', 'nodev', 'exec', 'size=64k'])
  assert.deepEqual(tmpfsOptions('noexec,ro'), ['nosuid', 'nodev', 'noexec', 'ro'])
  assert.throws(() => tmpfsOptions('foo'), { message: 'invalid tmpfs option "foo"' })
  assert.throws(() => tmpfsOptions('huge=always'), { message: 'invalid tmpfs option "huge=always"' })
})
