import assert from 'node:assert/strict'
import { createSign, X509Certificate } from 'node:crypto'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { connect } from '@engine/api/client'
import { authority, makeCertificate, signedBy } from '../harness/certificates.ts'
import { importBusybox } from '../harness/containers.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { startFakeRegistry } from '../harness/fake-registry.ts'
import { layerTar } from '../harness/layer-tar.ts'
import { makeImage, startRegistry } from '../harness/registry.ts'

let daemon: TestDaemon
let directory = ''
before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'engine-auth-'))
  await makeCertificate(directory, 'authority', authority)
  await makeCertificate(directory, 'stranger', authority)
  await makeCertificate(directory, 'registry', signedBy(directory, 'authority', 'IP:127.0.0.1'))
  await makeCertificate(directory, 'client', signedBy(directory, 'authority', 'DNS:client.test'))
  mkdirSync(file('certs.d'))
  daemon = await startDaemon({ 'certs-dirs': [file('certs.d')] })
  await importBusybox(connect(daemon.host))
})
after(async () => {
  await daemon?.[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true, force: true })
})

function file(name: string): string {
  return join(directory, name)
}

/** A request to the daemon with credentials. @returns status and what the last line says */
function ask(method: string, path: string, credentials: object | undefined, body?: object): Promise<{ readonly status: number; readonly last: Readonly<Record<string, unknown>> }> {
  return new Promise((resolve, reject) => {
    const headers = { ...(credentials === undefined ? {} : { 'X-Registry-Auth': Buffer.from(JSON.stringify(credentials)).toString('base64url') }), ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) }
    const sent = httpRequest({ socketPath: daemon.socket, method, path, headers, agent: false }, (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => (text += chunk.toString()))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, last: JSON.parse(text.trim().split('\n').at(-1) ?? '{}') as Record<string, unknown> }))
    })
    sent.on('error', reject)
    sent.end(body === undefined ? undefined : JSON.stringify(body))
  })
}
const pull = (of: string, credentials?: object): ReturnType<typeof ask> => ask('POST', `/images/create?fromImage=${of}&tag=1`, credentials)
const push = async (to: string, credentials?: object): ReturnType<typeof ask> => {
  assert.equal((await daemon.api('POST', `/images/busybox/tag?repo=${to}&tag=1`)).status, 201)
  return await ask('POST', `/images/${to}/push?tag=1`, credentials)
}

describe('a registry with passwords', () => {
  it('takes the right one, and says what is wrong with others', async () => {
    await using registry = await startRegistry({ user: ['me', 'pass:word'] })
    const name = `${registry.host}/private`
    const me = { username: 'me', password: 'pass:word' }
    assert.deepEqual((await push(name)).last['error'], 'no basic auth credentials')
    assert.ok('aux' in (await push(name, me)).last)
    assert.equal((await daemon.api('DELETE', `/images/${name}:1`)).status, 200)
    assert.equal((await pull(name)).status, 401)
    assert.deepEqual((await pull(name, { username: 'me', password: 'wrong' })).last, { message: 'unauthorized: authentication required' })
    assert.equal((await pull(name, { auth: Buffer.from('me:pass:word').toString('base64') })).status, 200)
    assert.deepEqual(await ask('POST', '/auth', undefined, { ...me, serveraddress: registry.host }), { status: 200, last: { Status: 'Login Succeeded', IdentityToken: '' } })
    const refused = await ask('POST', '/auth', undefined, { ...me, password: 'x', serveraddress: registry.host })
    assert.deepEqual(refused, { status: 401, last: { message: `login attempt to http://${registry.host}/v2/ failed with status: 401 Unauthorized` } })
    assert.equal((await ask('GET', `/distribution/${name}:1/json`, me)).status, 200)
  })
})

describe('a registry with TLS', () => {
  it('is trusted by the authority in certs.d, and by no other', async () => {
    await using registry = await startRegistry({ tls: { certificate: file('registry.crt'), key: file('registry.key') } })
    const name = `${registry.host}/secure`
    // On this machine any certificate serves, until there is an authority for it.
    assert.ok('aux' in (await push(name)).last)
    assert.equal((await daemon.api('DELETE', `/images/${name}:1`)).status, 200)
    mkdirSync(file(`certs.d/${registry.host}`))
    copyFileSync(file('stranger.crt'), file(`certs.d/${registry.host}/ca.crt`))
    const refused = await pull(name)
    assert.equal(refused.status, 500)
    assert.match(String(refused.last['message']), /^Head "https:\/\/127\.0\.0\.1:\d+\/v2\/secure\/manifests\/1": tls: failed to verify certificate: x509: certificate signed by unknown authority$/)
    copyFileSync(file('authority.crt'), file(`certs.d/${registry.host}/ca.crt`))
    assert.equal((await pull(name)).status, 200)
    writeFileSync(file(`certs.d/${registry.host}/client.cert`), 'x')
    assert.match(String((await pull(name)).last['message']), /^missing key client\.key for client certificate client\.cert/)
  })
})

describe('a registry that wants certificates of its clients', () => {
  it('gets the one that certs.d has for it', async () => {
    await using registry = await startRegistry({ tls: { certificate: file('registry.crt'), key: file('registry.key'), clientcas: [file('authority.crt')] } })
    const name = `${registry.host}/for-members`
    const own = `certs.d/${registry.host}`
    mkdirSync(file(own))
    copyFileSync(file('authority.crt'), file(`${own}/ca.crt`))
    // With TLS 1.3 the refusal may come when the request is under way.
    assert.match(String((await push(name)).last['error']), /certificate required|alert|unexpected EOF|connection reset/)
    for (const [from, to] of [['crt', 'cert'], ['key', 'key']]) copyFileSync(file(`client.${from}`), file(`${own}/client.${to}`))
    assert.ok('aux' in (await push(name)).last)
    assert.equal((await daemon.api('DELETE', `/images/${name}:1`)).status, 200)
    assert.equal((await pull(name)).status, 200)
    rmSync(file(`${own}/client.cert`))
    assert.match(String((await pull(name)).last['message']), /^missing client certificate client\.cert for key client\.key/)
  })
})

describe('a registry behind a token service', () => {
  const issuer = 'engine tests'
  const service = 'the registry'

  /** A token as docker-registry wants it: a JWT with the signer's certificate (distribution, docs/spec/auth/jwt.md). */
  function token(account: string, scopes: readonly string[]): string {
    const now = Math.floor(Date.now() / 1000)
    const access = scopes.map((scope) => {
      const [type, name, actions = ''] = scope.split(':')
      return { type, name, actions: actions.split(',').filter((action) => account !== '' || (action === 'pull' && name === 'open')) }
    })
    const x5c = [new X509Certificate(readFileSync(file('authority.crt'))).raw.toString('base64')]
    const parts = [{ typ: 'JWT', alg: 'RS256', x5c }, { iss: issuer, aud: service, sub: account, exp: now + 300, nbf: now - 10, iat: now, jti: String(Math.random()), access }]
    const text = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
    return `${text}.${createSign('RSA-SHA256').update(text).sign(readFileSync(file('authority.key'))).toString('base64url')}`
  }

  it('gives everybody what is open, and the rest to whoever logs in, by password or identity token', async () => {
    const asked: URLSearchParams[] = []
    await using tokens = await startFakeRegistry((request, response, { url }) => {
      let text = ''
      request.on('data', (chunk: Buffer) => (text += chunk.toString()))
      request.on('end', () => {
        const query = request.method === 'POST' ? new URLSearchParams(text) : new URL(request.url ?? '', url).searchParams
        asked.push(query)
        const [, user = '', password] = /^Basic (.*)$/.exec(request.headers.authorization ?? '') === null ? [] : ['', ...Buffer.from(request.headers.authorization?.slice(6) ?? '', 'base64').toString().split(':')]
        const account = query.get('refresh_token') === 'identity of me' ? 'me' : user
        response.setHeader('content-type', 'application/json')
        if (account !== '' && account !== 'me') return response.writeHead(401).end('{"details":"incorrect username or password"}')
        if (user === 'me' && password !== 'secret') return response.writeHead(401).end('{"details":"incorrect username or password"}')
        const scopes = request.method === 'POST' ? (query.get('scope') ?? '').split(' ') : query.getAll('scope')
        const answer = token(account, scopes)
        return response.end(JSON.stringify({ ...(request.method === 'POST' ? { access_token: answer } : { token: answer }), ...(query.get('offline_token') === 'true' ? { refresh_token: 'identity of me' } : {}) }))
      })
      return true
    })
    await using registry = await startRegistry({ token: { realm: `${tokens.url}/token`, service, issuer, certificate: file('authority.crt') } })
    const me = { username: 'me', password: 'secret' }
    for (const repository of ['open', 'closed']) assert.ok('aux' in (await push(`${registry.host}/${repository}`, me)).last, repository)
    assert.ok(asked.every((query) => query.get('service') === service && query.get('account') === 'me'))
    assert.ok(asked.some((query) => query.get('scope') === 'repository:open:pull,push'))

    assert.equal((await daemon.api('DELETE', `/images/${registry.host}/closed:1`)).status, 200)
    assert.equal((await pull(`${registry.host}/open`)).status, 200, 'nobody in particular may pull what is open')
    const denied = await pull(`${registry.host}/closed`)
    assert.deepEqual(denied, { status: 404, last: { message: `pull access denied for ${registry.host}/closed, repository does not exist or may require 'docker login': denied: requested access to the resource is denied` } })
    assert.equal(String((await push(`${registry.host}/closed`)).last['error']), 'denied: requested access to the resource is denied')
    assert.equal((await pull(`${registry.host}/closed`, { ...me, password: 'x' })).status, 401)

    const login = await ask('POST', '/auth', undefined, { ...me, serveraddress: registry.host })
    assert.deepEqual(login, { status: 200, last: { Status: 'Login Succeeded', IdentityToken: 'identity of me' } })
    assert.equal((await pull(`${registry.host}/closed`, { identitytoken: 'identity of me' })).status, 200)
    assert.equal(asked.at(-1)?.get('grant_type'), 'refresh_token')
    const wrong = await ask('POST', '/auth', undefined, { ...me, password: 'x', serveraddress: registry.host })
    assert.deepEqual(wrong, { status: 401, last: { message: `Get "http://${registry.host}/v2/": unauthorized: incorrect username or password` } })

    // Blobs are mounted with a token that may read where they come from.
    asked.length = 0
    assert.ok('aux' in (await push(`${registry.host}/third`, me)).last)
    assert.ok(asked.some((query) => query.getAll('scope').length >= 2))
    assert.doesNotMatch(daemon.log(), /secret|identity of me/)
  })

  it('is asked once for all requests of a pull', async () => {
    let count = 0
    const image = makeImage(Array.from({ length: 6 }, (_, i) => layerTar({ [`f${i}`]: `${i}` })))
    await using registry = await startFakeRegistry((request, response, { url }) => {
      if (request.url?.startsWith('/token') === true) {
        count++
        response.setHeader('content-type', 'application/json')
        response.end('{"token":"t"}')
        return true
      }
      if (request.headers.authorization === 'Bearer t') return false
      response.writeHead(401, { 'www-authenticate': `Negotiate, Bearer realm="${url}/token",service="a, \\"b\\"", Basic realm="x"` }).end()
      return true
    })
    registry.put('six', '1', image)
    assert.equal((await pull(`${registry.host}/six`)).status, 200)
    assert.equal(count, 1)
    assert.ok(registry.seen.some(({ path }) => new URL(path, 'http://x').searchParams.get('service') === 'a, "b"'))
  })
})
