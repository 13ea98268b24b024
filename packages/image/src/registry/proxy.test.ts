import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { proxyFor } from './proxy.ts'

const proxy = (url: string, environment: Readonly<Record<string, string>>): string | undefined => proxyFor(new URL(url), environment)?.href

describe('the proxy for a registry', () => {
  it('is the one of its scheme, in either spelling, never for this machine', () => {
    const both = { HTTP_PROXY: 'http://plain.example:3128', https_proxy: 'secure.example:8080' }
    assert.equal(proxy('http://a.example/', both), 'http://plain.example:3128/')
    assert.equal(proxy('https://a.example/', both), 'http://secure.example:8080/')
    assert.equal(proxy('https://a.example/', { HTTP_PROXY: 'http://plain.example' }), undefined)
    assert.equal(proxy('https://a.example/', { HTTPS_PROXY: 'https://me:secret@p.example' }), 'https://me:secret@p.example/')
    for (const own of ['https://localhost:5000/', 'https://127.9.9.9/', 'https://[::1]:5000/']) assert.equal(proxy(own, both), undefined, own)
  })

  it('is left out for what NO_PROXY names', () => {
    const cases: readonly (readonly [list: string, direct: readonly string[], proxied: readonly string[]])[] = [
      ['a.example', ['https://a.example/', 'https://sub.a.example:5000/'], ['https://ba.example/']],
      ['.a.example, B.example:5000', ['https://sub.a.example/', 'https://b.example:5000/'], ['https://a.example/', 'https://b.example/']],
      ['*.a.example', ['https://sub.a.example/'], ['https://a.example/']],
      ['10.0.0.0/8,192.0.2.7,fd00::/8', ['https://10.255.1.1/', 'https://192.0.2.7:99/', 'https://[fd12::1]/'], ['https://11.0.0.1/', 'https://192.0.2.8/', 'https://[fe80::1]/', 'https://ten.example/']],
      ['192.0.2.7:443,[fd00::1]:5000', ['https://192.0.2.7/', 'https://[fd00::1]:5000/'], ['https://192.0.2.7:5000/', 'https://[fd00::1]/']],
      ['*', ['https://anything.example/'], []],
      [' , ,x/99,10.0.0.0/99', [], ['https://a.example/', 'https://10.0.0.1/']],
    ]
    for (const [list, direct, proxied] of cases) {
      const environment = { HTTPS_PROXY: 'http://p.example', no_proxy: list }
      for (const url of direct) assert.equal(proxy(url, environment), undefined, `${list} ${url}`)
      for (const url of proxied) assert.equal(proxy(url, environment), 'http://p.example/', `${list} ${url}`)
    }
  })

  it('that is none is refused, without what may be secret', () => {
    for (const bad of ['ftp://p.example', 'http://', 'http://me:secret@:99999']) {
      assert.throws(() => proxy('https://a.example/', { HTTPS_PROXY: bad }), (error: Error) => error.message.startsWith('invalid proxy in the environment') && !error.message.includes('secret'), bad)
    }
  })
})
