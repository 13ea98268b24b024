import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { RequestError } from './errors.ts'
import { readJson } from './json-body.ts'
import { ContainerCreateBody, ContainerUpdateBody } from './schemas/container.ts'
import { ContainerExecBody } from './schemas/exec.ts'
import { NetworkCreateBody } from './schemas/network.ts'

const refused = (body: string): string => {
  try {
    readJson(ContainerCreateBody, body)
  } catch (error) {
    assert.ok(error instanceof RequestError)
    return error.message
  }
  return 'accepted'
}

describe('readJson', () => {
  it('takes names in any case, the exact one first', () => {
    assert.deepEqual(readJson(ContainerExecBody, '{"cmd":["a"],"TTY":true,"attachstdin":false}'), { Cmd: ['a'], Tty: true, AttachStdin: false })
  })

  it('takes null for everything', () => {
    assert.deepEqual(readJson(ContainerExecBody, 'null'), {})
    const nulls = Object.fromEntries(Object.keys(ContainerCreateBody.shape).map((name) => [name, null]))
    assert.doesNotThrow(() => readJson(ContainerCreateBody, JSON.stringify(nulls)))
  })

  it('takes the largest numbers that Docker takes', () => {
    const body = readJson(ContainerCreateBody, '{"HostConfig":{"Memory":9223372036854771712,"MemorySwap":-1,"OomScoreAdj":-1000}}')
    assert.equal(body.HostConfig?.Memory, 9_223_372_036_854_771_712)
  })

  it('has the complaints of Go', () => {
    for (const [body, message] of [
      ['', 'invalid JSON: got EOF while reading request body'],
      ['  ', 'invalid JSON: got EOF while reading request body'],
      ['{"a', 'invalid JSON: unexpected EOF'],
      ['{"a":', 'invalid JSON: unexpected EOF'],
      ['x', "invalid JSON: invalid character 'x' looking for beginning of value"],
      ['{} x', 'unexpected content after JSON'],
      ['{"Cmd":5}', 'invalid JSON: json: cannot unmarshal number into Go value of type string'],
      ['{"Volumes":[]}', 'invalid JSON: json: cannot unmarshal array into Go struct field .Volumes of type map[string]struct {}'],
      ['{"Labels":{"a":1}}', 'invalid JSON: json: cannot unmarshal number into Go struct field .Labels.a of type string'],
      ['{"HostConfig":{"Binds":["a",5]}}', 'invalid JSON: json: cannot unmarshal number into Go struct field .HostConfig.Binds.1 of type string'],
    ] as const) {
      assert.equal(refused(body), message, body)
    }
  })

  it('knows what Go calls its types', () => {
    const complaint = (schema: Parameters<typeof readJson>[0], body: string): unknown => {
      try {
        return readJson(schema, body)
      } catch (error) {
        return error instanceof Error ? error.message.replace('invalid JSON: json: cannot unmarshal ', '') : error
      }
    }
    assert.equal(complaint(ContainerUpdateBody, '{"Devices":"x"}'), 'string into Go struct field UpdateConfig.Devices of type []container.DeviceMapping')
    assert.equal(complaint(ContainerUpdateBody, '[]'), 'array into Go value of type container.UpdateConfig')
    assert.equal(complaint(NetworkCreateBody, '{"IPAM":{"Config":1}}'), 'number into Go struct field CreateRequest.IPAM.Config of type []network.IPAMConfig')
    assert.equal(complaint(ContainerCreateBody, '[]'), 'array into Go value of type container.CreateRequest')
    assert.equal(complaint(ContainerCreateBody, '{"HostConfig":{"Mounts":1}}'), 'number into Go struct field .HostConfig.Mounts of type []mount.Mount')
  })

  it('takes any JSON or says what is wrong with it', () => {
    fc.assert(fc.property(fc.json(), (body) => void refused(body)))
    fc.assert(fc.property(fc.string(), (body) => void refused(body)))
  })

  it('does not let a body reach into prototypes', () => {
    readJson(ContainerCreateBody, '{"__proto__":{"polluted":1},"Labels":{"__proto__":"x"},"constructor":{"prototype":{"polluted":1}}}')
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined)
  })
})
