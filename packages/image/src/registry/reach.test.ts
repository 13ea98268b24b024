import assert from 'node:assert/strict'
import { it } from 'node:test'
import { addressFrom, mayFollow } from './reach.ts'

const may = (from: string, to: string): boolean => mayFollow(new URL(from), new URL(to)) === undefined

it('a registry sends us to other hosts, but never to plain HTTP from TLS, nor from outside to this machine', () => {
  assert.ok(may('https://registry-1.docker.io', 'https://auth.docker.io/token'))
  assert.ok(may('https://r.example', 'https://10.0.0.7/token'), 'a private registry may have its token service in the same network')
  assert.ok(may('http://127.0.0.1:5000', 'http://127.0.0.1:5001/token'))
  assert.ok(may('http://localhost:5000', 'http://127.0.0.1:5001/token'))
  assert.ok(!may('https://r.example', 'http://r.example/token'))
  for (const host of ['127.0.0.1', '169.254.169.254', 'localhost', '[::1]', '[fe80::1]', '0.0.0.0', '[::ffff:127.0.0.1]', '2130706433', 'localhost.', 'x.localhost.', '[fd00:ec2::254]', '100.100.100.200', '192.0.0.192']) assert.ok(!may('https://r.example', `https://${host}/x`), host)
  for (const url of ['file:///etc/shadow', 'ftp://x', 'unix:/run/engine.sock']) assert.ok(!may('http://r.example', url), url)
})

it('an address that a server names is read from where it was named', () => {
  const from = new URL('https://r.example/v2/x/blobs/uploads/')
  assert.equal(addressFrom(from, '/v2/x/blobs/uploads/1?_state=a').href, 'https://r.example/v2/x/blobs/uploads/1?_state=a')
  assert.equal(addressFrom(from, 'https://storage.example/1').href, 'https://storage.example/1')
  assert.throws(() => addressFrom(from, 'http://r.example/1'), { code: 'forbidden', message: /^https:\/\/r\.example\/v2\/x\/blobs\/uploads\/ redirects to http:\/\/r\.example: plain HTTP/ })
  assert.throws(() => addressFrom(from, 'https://169.254.169.254/latest'), { code: 'forbidden' })
  assert.throws(() => addressFrom(from, 'https://['), { code: 'internal' })
})
