import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseRunMount } from './run-mount.ts'

test('mounts are read with their defaults', () => {
  const nothing = { from: '', source: '', target: '', id: '', sharing: 'shared', required: false, size: undefined, mode: undefined, uid: 0, gid: 0, env: undefined }
  assert.deepEqual(parseRunMount('target=/x'), { ...nothing, type: 'bind', target: '/x', readOnly: true })
  assert.deepEqual(parseRunMount('type=bind,dst=/x,src=a,from=b,rw'), { ...nothing, type: 'bind', target: '/x', source: 'a', from: 'b', readOnly: false })
  assert.deepEqual(parseRunMount('id=a,type=CACHE,destination=/x,sharing=Locked,mode=1777,uid=3,gid=4,ro=true'), { ...nothing, type: 'cache', target: '/x', id: 'a', sharing: 'locked', mode: 0o1777, uid: 3, gid: 4, readOnly: true })
  assert.deepEqual(parseRunMount('type=tmpfs,target=/x,size=1.5g'), { ...nothing, type: 'tmpfs', target: '/x', size: 1.5 * 2 ** 30, readOnly: false })
  assert.deepEqual(parseRunMount('type=secret,id=a,env=B,required'), { ...nothing, type: 'secret', id: 'a', env: 'B', required: true, readOnly: true })
  assert.equal(parseRunMount('"target=/a,b",source=$X', (value) => value.replace('$X', 'x,y')).target, '/a,b')
  assert.equal(parseRunMount('target=/a,source=$X', (value) => value.replace('$X', 'x,y')).source, 'x,y')
})

test('mistakes are told', () => {
  const wrong = {
    'type=foo,target=/x': 'unsupported mount type "foo"', 'target': "invalid field 'target' must be a key=value pair", 'type=bind': 'target is required for bind mounts',
    'targte=/x': "unexpected key 'targte' in 'targte=/x' (did you mean target?)", 'target=/x,required': "unexpected key 'required' for mount type 'bind'",
    'target=/x,mode=755': 'mode not allowed for "bind" type mounts', 'type=cache,target=/x,sharing=all': 'unsupported sharing value "all"', 'target=/x,sharing=shared': 'invalid cache sharing set for bind mount',
    'type=cache,target=/x,mode=9': 'invalid value 9 for mode', 'type=tmpfs,target=/x,size=big': 'invalid value for size: big', 'target=/x,ro=maybe': 'invalid value for ro: maybe',
    'type=secret,id=a,rw': 'secret mount cannot be writable', '"target=/x': 'failed to parse csv mounts: "\\"target=/x"',
  }
  for (const [text, message] of Object.entries(wrong)) assert.throws(() => parseRunMount(text), { message }, text)
})
