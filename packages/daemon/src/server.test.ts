import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { EngineError } from '@engine/linux'
import { connect, ApiError } from '@engine/api/client'
import { routes, unservedRoutes } from '@engine/api'
import { serveFake, Wire, type ServedApi } from './testing/sockets.ts'

const jsonType = { 'Content-Type': 'application/json' }

async function ask(api: ServedApi, method: string, path: string, headers: Readonly<Record<string, string>> = {}, body = ''): Promise<{ readonly status: number; readonly body: string; readonly headers: string }> {
  using wire = new Wire(api.path)
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  wire.request(`${method} ${path}`, [...lines, 'Connection: close', ...(body === '' ? [] : [`Content-Length: ${Buffer.byteLength(body)}`])], body)
  const text = await wire.rest()
  const at = text.indexOf('\r\n\r\n')
  return { status: Number(text.split(' ')[1]), headers: text.slice(0, at), body: text.slice(at + 4) }
}

/** What Docker 28.5 answers to the same requests, but for the statuses marked below. */
const wrong: readonly (readonly [method: string, path: string, headers: Readonly<Record<string, string>>, body: string, status: number, message: string])[] = [
  ['GET', '/nope', {}, '', 404, 'page not found'],
  ['GET', '/networks/a/b', {}, '', 404, 'network a/b not found'],
  ['GET', '/networks/a%2Fb', {}, '', 404, 'network a/b not found'],
  ['GET', '/volumes/a/b', {}, '', 404, 'get a/b: no such volume'],
  ['DELETE', '/containers/web/db', {}, '', 404, 'No such container: web/db'],
  ['POST', '/networks/a/nonsense', {}, '', 404, 'page not found'],
  ['GET', '/vfoo/version', {}, '', 404, 'page not found'],
  ['GET', '/v1.44/volumes/%ff', {}, '', 400, "'/volumes/%ff' is not a valid url component"],
  ['POST', '/version', {}, '', 404, 'page not found'],
  ['HEAD', '/version', {}, '', 404, ''],
  ['GET', '/version/', {}, '', 404, 'page not found'],
  ['GET', '/images/a/b', {}, '', 404, 'page not found'],
  ['GET', '/v1.99/version', {}, '', 400, 'client version 1.99 is too new. Maximum supported API version is 1.51'],
  ['POST', '/containers/create', {}, '', 400, 'invalid JSON: got EOF while reading request body'],
  ['POST', '/containers/create', jsonType, 'null', 400, 'config cannot be empty in order to create a container'],
  ['POST', '/containers/create', jsonType, '{"HostConfig":{}}', 400, 'config cannot be empty in order to create a container'],
  ['POST', '/containers/create', jsonType, '{', 400, 'invalid JSON: unexpected EOF'],
  ['POST', '/containers/create', jsonType, '{"Image":5}', 400, 'invalid JSON: json: cannot unmarshal number into Go struct field .Image of type string'],
  ['POST', '/containers/create', jsonType, '{"Image":"a","HostConfig":{"Memory":"5"}}', 400, 'invalid JSON: json: cannot unmarshal string into Go struct field .HostConfig.Memory of type int64'],
  ['POST', '/containers/create', jsonType, '{"Image":"a","HostConfig":{"Memory":5.5}}', 400, 'invalid JSON: json: cannot unmarshal number 5.5 into Go struct field .HostConfig.Memory of type int64'],
  ['POST', '/containers/create', jsonType, '{"Image":"a","Env":"A=1"}', 400, 'invalid JSON: json: cannot unmarshal string into Go struct field .Env of type []string'],
  ['POST', '/containers/create', jsonType, '{"Image":"a"} {"b":1}', 400, 'unexpected content after JSON'],
  ['POST', '/containers/create', { 'Content-Type': 'text/plain' }, '{"Image":"a"}', 400, "unsupported Content-Type header (text/plain): must be 'application/json'"],
  ['GET', '/containers/json?filters=%7B', {}, '', 400, 'invalid filter'],
  ['GET', '/containers/json?filters=%5B%5D', {}, '', 400, 'invalid filter'],
  // Docker: 500.
  ['GET', '/containers/json?limit=abc', {}, '', 400, 'strconv.Atoi: parsing "abc": invalid syntax'],
  ['POST', '/containers/x/stop?t=abc', {}, '', 400, 'strconv.Atoi: parsing "abc": invalid syntax'],
  ['GET', '/events?since=foo', {}, '', 400, 'strconv.ParseInt: parsing "foo": invalid syntax'],
  ['GET', '/events?since=10&until=1', {}, '', 400, '`since` time (10) cannot be after `until` time (1)'],
  ['GET', '/containers/x/logs', {}, '', 400, 'Bad parameters: you must choose at least one stream'],
  ['POST', '/containers/x/start', jsonType, '{"a":"bbbbb"}', 400, 'starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24'],
  ['POST', '/containers/x/resize?h=a&w=b', {}, '', 400, 'invalid resize height "a": invalid syntax'],
  ['POST', '/containers/x/resize?h=4294967296&w=1', {}, '', 400, 'invalid resize height "4294967296": value out of range'],
  ['POST', '/containers/x/rename', {}, '', 400, 'Neither old nor new names may be empty'],
  ['POST', '/containers/x/wait?condition=foo', {}, '', 400, 'invalid condition: "foo"'],
  ['POST', '/containers/nope/wait', {}, '', 404, 'No such container: nope'],
  ['POST', '/containers/x/exec', jsonType, '{}', 400, 'No exec command specified'],
  ['POST', '/build?version=3', {}, '', 400, 'invalid version "3"'],
  ['POST', '/build?buildargs=x', {}, '', 400, "error reading build args: invalid character 'x' looking for beginning of value"],
  ['POST', '/containers/create?platform=a/b/c/d', jsonType, '{"Image":"a"}', 400, '"a/b/c/d": cannot parse platform specifier: invalid argument'],
  ['POST', '/images/create?fromImage=a&platform=a/b%20c', {}, '', 400, '"b c" is an invalid component of "a/b c": invalid argument'],
  ['POST', '/commit', {}, '', 400, 'invalid name or ID supplied: ""'],
  ['POST', '/images/create', {}, '', 400, 'one of fromImage and fromSrc is needed'],
  ['POST', '/images/create?fromImage=a', { 'X-Registry-Auth': '{}' }, '', 400, 'invalid X-Registry-Auth header: not base64'],
  ['PUT', '/volumes/v', {}, '', 503, 'volume update only valid for cluster volumes, but swarm is unavailable'],
  ['GET', '/plugins/a/b:c/json', {}, '', 404, 'plugin "a/b:c" not found'],
  ['GET', '/services', {}, '', 503, 'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.'],
  ['POST', '/swarm/leave', {}, '', 503, 'This node is not part of a swarm'],
  ['GET', '/containers/x/stats?one-shot=1', {}, '', 400, 'cannot have stream=true and one-shot=true'],
  ['POST', '/plugins/pull', {}, '', 501, 'POST /plugins/pull is not supported by this version of engine'],
]

describe('wrong requests', () => {
  for (const [method, path, headers, body, status, message] of wrong) {
    it(`${method} ${path} ${body}`.trim(), async () => {
      await using api = await serveFake()
      const answer = await ask(api, method, path, headers, body)
      assert.equal(answer.status, status, answer.body)
      if (method !== 'HEAD') assert.equal((JSON.parse(answer.body) as { message: string }).message, message)
      assert.match(answer.headers, /content-type: application\/json(\r|$)/im)
    })
  }

  it('of clients that are too old are told so in plain text, as they expect', async () => {
    await using api = await serveFake()
    const answer = await ask(api, 'GET', '/v1.23/containers/json')
    assert.equal(answer.status, 400)
    assert.match(answer.headers, /text\/plain/)
    assert.equal(answer.body, 'client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version\n')
  })

  it('with bodies that are too large get 413', async () => {
    await using api = await serveFake()
    const declared = await ask(api, 'POST', '/containers/create', { ...jsonType, 'Content-Length': '99999999' })
    assert.equal(declared.status, 413)
    using wire = new Wire(api.path)
    wire.request('POST /containers/create', ['Content-Type: application/json', 'Transfer-Encoding: chunked', 'Connection: close'])
    wire.socket.on('error', () => undefined)
    const block = Buffer.alloc(1 << 20, 32)
    for (let count = 0; count < 9; count++) wire.send('100000\r\n').send(block).send('\r\n')
    wire.send('0\r\n\r\n')
    assert.equal((await wire.answer()).status, 413)
  })

  it('do not spoil a connection that is kept', async () => {
    await using api = await serveFake()
    using wire = new Wire(api.path)
    wire.request('POST /containers/create', ['Content-Type: application/json', 'Content-Length: 1'], '{')
    assert.equal((await wire.answer()).status, 400)
    wire.request('PUT /volumes/x', ['Content-Length: 5'], 'hello')
    assert.equal((await wire.answer()).status, 503)
    wire.request('GET /_ping')
    assert.equal((await wire.answer()).body, 'OK')
  })
})

describe('every answer', () => {
  it('bears the headers that clients look for', async () => {
    await using api = await serveFake()
    const { headers, status } = await ask(api, 'GET', '/v1.30/version')
    assert.equal(status, 200)
    for (const line of ['Api-Version: 1.51', 'Docker-Experimental: false', 'Ostype: linux', 'Server: Docker/1.2.3 (linux)', 'Content-Type: application/json']) {
      assert.ok(headers.split('\r\n').includes(line), `${line} is missing in ${headers}`)
    }
    const ping = await ask(api, 'HEAD', '/_ping')
    for (const line of ['Builder-Version: 1', 'Swarm: inactive', 'content-length: 0', 'Cache-Control: no-cache, no-store, must-revalidate']) {
      assert.ok(ping.headers.split('\r\n').includes(line), line)
    }
  })

  it('is made under its cause, whose id the client is told', async () => {
    await using api = await serveFake()
    const { headers } = await ask(api, 'POST', '/v1.44/containers/x/start?detachKeys=a')
    const [cause] = api.causes
    assert.equal(cause?.request, 'POST /containers/x/start')
    assert.ok(headers.includes(`X-Request-Id: ${cause?.id}`))
  })
})

describe('routes', () => {
  it('take names with slashes, colons and escapes', async () => {
    await using api = await serveFake()
    for (const [path, verb, name] of [
      ['/images/a/b/c:1/json', 'images.inspect', 'a/b/c:1'],
      ['/images/host:5000/json/json', 'images.inspect', 'host:5000/json'],
      ['/images/a%2Fb@sha256:00/json', 'images.inspect', 'a/b@sha256:00'],
      [`/images/${'a'.repeat(300)}/history`, 'images.history', 'a'.repeat(300)],
    ] as const) {
      assert.equal((await ask(api, 'GET', path)).status, 200)
      assert.deepEqual([api.asked.at(-1)?.verb, api.asked.at(-1)?.args[0]], [verb, name])
    }
    await ask(api, 'DELETE', '/images/a/b?force=1&noprune=False')
    assert.deepEqual(api.asked.at(-1), { verb: 'images.remove', args: ['a/b', { force: true, noPrune: false, platform: undefined }] })
    assert.equal((await ask(api, 'GET', '/containers//x/json')).status, 200)
    assert.equal((await ask(api, 'GET', '/networks/')).status, 200)
  })

  it('are those of the contract and no others twice', () => {
    const served = Object.values(routes).map(({ method, path }) => `${method} ${path}`)
    const all = [...served, ...unservedRoutes.map(([method, path]) => `${method} ${path}`)]
    assert.equal(new Set(all).size, all.length)
  })

  it('take URLs as long as a build\'s arguments make them', async () => {
    await using api = await serveFake()
    const buildargs = { long: 'x'.repeat(200_000) }
    const answer = await ask(api, 'POST', `/build?buildargs=${encodeURIComponent(JSON.stringify(buildargs))}`)
    assert.equal(answer.status, 200)
    assert.deepEqual((api.asked.at(-1)?.args[1] as { readonly buildArgs: unknown } | undefined)?.buildArgs, buildargs)
  })

  it('split a repository from its tag, wherever that is', async () => {
    await using api = await serveFake()
    const tagged = async (query: string): Promise<unknown> => {
      assert.equal((await ask(api, 'POST', `/images/x/tag?${query}`)).status, 201)
      return api.asked.at(-1)?.args.slice(1)
    }
    assert.deepEqual(await tagged('repo=a'), ['a', ''])
    assert.deepEqual(await tagged('repo=h:5000/a:1'), ['h:5000/a', '1'])
    assert.deepEqual(await tagged('repo=h:5000/a&tag=2'), ['h:5000/a', '2'])
    assert.deepEqual(await tagged('repo=a:1&tag=2'), ['a', '2'])
    const pulled = async (query: string): Promise<unknown> => {
      await ask(api, 'POST', `/images/create?${query}`)
      return api.asked.at(-1)?.args[0]
    }
    assert.equal(await pulled('fromImage=a/b&tag=1'), 'a/b:1')
    assert.equal(await pulled('fromImage=a:1&tag=2'), 'a:2')
    assert.equal(await pulled('fromImage=a&tag=sha256:00'), 'a@sha256:00')
    assert.equal(await pulled('fromImage=a@sha256:00&tag=1'), 'a@sha256:00')
  })

  it('read a null-heavy body in any case, as docker-py and hurried people send it', async () => {
    await using api = await serveFake()
    const body = {
      image: 'busybox', Cmd: 'true', tty: null, Env: ['A=1', null], Volumes: null, Labels: { a: null }, ExposedPorts: { '80/tcp': null }, Unknown: { x: 1 },
      hostconfig: { binds: null, PortBindings: { '80/tcp': null }, RestartPolicy: null, PidsLimit: -1, Ulimits: [{ name: 'nofile', soft: 1, Hard: 2 }] },
      NetworkingConfig: { EndpointsConfig: { mine: null } },
    }
    const answer = await ask(api, 'POST', '/v1.51/containers/create?name=n&platform=', jsonType, JSON.stringify(body))
    assert.equal(answer.status, 201, answer.body)
    assert.deepEqual(api.asked.at(-1)?.args[0], {
      name: 'n',
      platform: undefined,
      config: { Image: 'busybox', Cmd: ['true'], Tty: null, Env: ['A=1', ''], Volumes: null, Labels: { a: '' }, ExposedPorts: { '80/tcp': {} } },
      hostConfig: { Binds: null, PortBindings: { '80/tcp': null }, RestartPolicy: null, PidsLimit: undefined, Ulimits: [{ Name: 'nofile', Soft: 1, Hard: 2 }] },
      endpoints: { mine: {} },
      readOnlyNonRecursive: false,
    })
  })

  it('give a request what its version knew', async () => {
    await using api = await serveFake()
    const create = async (version: string, hostConfig: object): Promise<Record<string, unknown>> => {
      await ask(api, 'POST', `/v${version}/containers/create`, jsonType, JSON.stringify({ Image: 'a', HostConfig: hostConfig }))
      const wanted = api.asked.at(-1)?.args[0] as { readonly hostConfig: Record<string, unknown> } | undefined
      return wanted?.hostConfig ?? {}
    }
    assert.equal((await create('1.24', { AutoRemove: true }))['AutoRemove'], false)
    assert.equal((await create('1.25', { AutoRemove: true }))['AutoRemove'], true)
    assert.equal((await create('1.39', {}))['IpcMode'], 'shareable')
    const mount = { Type: 'bind', Source: '/a', Target: '/b', ReadOnly: true }
    assert.deepEqual((await create('1.43', { Mounts: [mount] }))['Mounts'], [mount])
    assert.equal((api.asked.at(-1)?.args[0] as { readonly readOnlyNonRecursive: boolean } | undefined)?.readOnlyNonRecursive, true)
    await create('1.44', { Mounts: [mount] })
    assert.equal((api.asked.at(-1)?.args[0] as { readonly readOnlyNonRecursive: boolean } | undefined)?.readOnlyNonRecursive, false)
    const two = JSON.stringify({ Image: 'a', NetworkingConfig: { EndpointsConfig: { a: {}, b: {} } } })
    assert.equal((await ask(api, 'POST', '/v1.43/containers/create', jsonType, two)).status, 400)
    assert.equal((await ask(api, 'POST', '/v1.44/containers/create', jsonType, two)).status, 201)
    await ask(api, 'POST', '/v1.41/containers/x/stop?signal=INT&t=3')
    assert.deepEqual(api.asked.at(-1)?.args[1], { timeout: 3, signal: undefined })
  })

  it('give an answer the shape its version had', async () => {
    await using api = await serveFake()
    const image = async (version: string): Promise<Record<string, unknown>> => JSON.parse((await ask(api, 'GET', `/v${version}/images/i/json`)).body) as Record<string, unknown>
    assert.equal((await image('1.43'))['VirtualSize'], 5)
    assert.equal((await image('1.44'))['VirtualSize'], undefined)
    assert.equal(((await image('1.49'))['Config'] as Record<string, unknown>)['Hostname'], '')
    assert.equal(((await image('1.50'))['Config'] as Record<string, unknown>)['Hostname'], undefined)
    const list = async (version: string): Promise<unknown> => (JSON.parse((await ask(api, 'GET', `/v${version}/images/json`)).body) as unknown[])[0]
    assert.deepEqual((await list('1.42') as Record<string, unknown>)['RepoTags'], ['<none>:<none>'])
    assert.deepEqual((await list('1.50') as Record<string, unknown>)['Containers'], -1)
    assert.deepEqual((await list('1.51') as Record<string, unknown>)['Containers'], 2)
    type View = { NetworkSettings: { Networks: { mine: { Aliases: unknown; DNSNames?: unknown }; bridge: { Aliases: unknown } } } }
    const view = JSON.parse((await ask(api, 'GET', '/v1.43/containers/x/json')).body) as View
    assert.deepEqual(view.NetworkSettings.Networks.mine.Aliases, ['cccccccccccc'])
    assert.equal(view.NetworkSettings.Networks.bridge.Aliases, null)
  })
})

describe('errors', () => {
  it('have the status of their code, and a hint if there is one', async () => {
    await using api = await serveFake()
    for (const [code, status] of [['conflict', 409], ['forbidden', 403], ['unavailable', 503], ['internal', 500], ['cancelled', 500], ['unauthorized', 401]] as const) {
      api.verbs['containers.start'] = async () => {
        throw new EngineError(code, 'no', { hint: 'do this' })
      }
      const answer = await ask(api, 'POST', '/containers/x/start')
      assert.deepEqual([answer.status, answer.body], [status, '{"message":"no","hint":"do this"}\n'])
    }
    assert.deepEqual(api.logged, [])
  })

  it('that say nothing has changed have no body', async () => {
    await using api = await serveFake()
    api.verbs['containers.stop'] = async () => {
      throw new EngineError('not-modified', 'is not running')
    }
    const answer = await ask(api, 'POST', '/containers/x/stop')
    assert.deepEqual([answer.status, answer.body], [304, ''])
  })

  it('that nobody expected are logged with their stack', async () => {
    await using api = await serveFake()
    api.verbs['containers.start'] = async () => {
      throw new TypeError('x is not a function')
    }
    const answer = await ask(api, 'POST', '/containers/x/start')
    assert.deepEqual([answer.status, answer.body], [500, '{"message":"x is not a function"}\n'])
    assert.match(api.logged[0] ?? '', /TypeError.*server\.test/)
  })

  it('reach the client of this project with all they have', async () => {
    await using api = await serveFake()
    const client = connect(`unix://${api.path}`)
    api.verbs['containers.start'] = async () => {
      throw new EngineError('conflict', 'no', { hint: 'do this' })
    }
    await assert.rejects(client.request('POST', '/containers/x/start'), (error) => error instanceof ApiError && error.status === 409 && error.message === 'no' && error.hint === 'do this')
  })
})
