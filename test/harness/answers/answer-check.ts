import { API_VERSION, MIN_API_VERSION, isAtLeast, splitVersion } from '@engine/api'
import type { AnswerPart } from './answer-part.ts'
import type { Contract, Schema } from './contract.ts'
import { excused, type Excuse } from './excuses.ts'

/** Bodies that Docker's description has no schema for, though it defines one. */
const lineSchemas: Readonly<Record<string, Schema>> = {
  ImageBuild: { $ref: '#/definitions/BuildInfo' },
  // Not described at all; moby's jsonmessage, as a build's.
  ImageLoad: { $ref: '#/definitions/BuildInfo' },
  ImageCreate: { $ref: '#/definitions/CreateImageInfo' },
  ImagePush: { $ref: '#/definitions/PushImageInfo' },
}

const errorSchema: Schema = { $ref: '#/definitions/ErrorResponse' }

/** Holds answers against Docker's description of its API, as they come in bits. */
export class AnswerCheck {
  readonly #contract: Contract
  /** What has come of answers that go on. */
  readonly #begun = new Map<string, string>()
  /** Excuses that something was excused by. */
  readonly used = new Set<Excuse>()
  /** How many JSON values were looked at. */
  checked = 0

  constructor(contract: Contract) {
    this.#contract = contract
  }

  /** @returns what is wrong with this bit of an answer: `GET /containers/json (ContainerList) 200: [0].Names: no list` */
  violations(part: AnswerPart): string[] {
    const { version = API_VERSION, path } = splitVersion(part.url.split('?')[0] ?? '')
    // Shapes of older versions are compared with recordings of a real Docker Engine's (test/parity/versions.test.ts).
    if (isAtLeast(version, MIN_API_VERSION) && !isAtLeast(version, this.#contract.since)) return []
    const operation = this.#contract.find(part.method, path.replaceAll(/\/{2,}/g, '/'))
    if (operation === undefined) return []
    const where = `${part.method} ${path} (${operation.operationId}) ${part.status}`
    const found: string[] = []
    const say = (text: string): void => {
      const excuse = excused(operation.operationId, text)
      if (excuse === undefined) found.push(`${where}: ${text}`)
      else this.used.add(excuse)
    }
    const response = operation.responses[String(part.status)]
    if (response === undefined && part.status < 400) {
      if (part.ended) say('a status that is not in the description')
      return found
    }
    // A version from before there were errors in JSON is refused in plain text.
    if (!isAtLeast(version, MIN_API_VERSION) && part.status === 400 && part.type.startsWith('text/plain')) return found
    const schema = part.status >= 400 ? errorSchema : (response?.schema ?? lineSchemas[operation.operationId])
    if (schema === undefined) {
      if (part.text !== '') say('a body where the description has none')
      return found
    }
    const { type, properties } = this.#contract.resolve(schema)
    if (type === 'string' && properties === undefined) return found
    if (!part.type.startsWith('application/json')) {
      if (part.ended && part.method !== 'HEAD') say(`${part.type === '' ? 'no JSON' : part.type} for a body that is JSON`)
      return found
    }
    for (const value of this.#values(part, say)) {
      this.checked++
      for (const text of this.#contract.violations(schema, value)) say(text)
    }
    return found
  }

  /** The values that are whole now: lines of a stream, or the one of a body. */
  #values(part: AnswerPart, say: (text: string) => void): unknown[] {
    const text = (this.#begun.get(part.id) ?? '') + part.text
    const end = part.ended ? text.length : text.lastIndexOf('\n') + 1
    if (part.ended) this.#begun.delete(part.id)
    else this.#begun.set(part.id, text.slice(end))
    if (part.cut) return []
    return Buffer.from(text.slice(0, end), 'latin1').toString().split('\n').filter((line) => line.trim() !== '').flatMap((line) => {
      try {
        return [JSON.parse(line) as unknown]
      } catch {
        say(`no JSON: ${line.slice(0, 100)}`)
        return []
      }
    })
  }
}
