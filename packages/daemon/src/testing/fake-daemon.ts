// engined with an engine that does nothing: for tests of sockets, signals and configuration. Says on standard output what the engine is asked.
import type { EngineOptions } from '@engine/engine'
import { run } from '../run.ts'
import { fakeEngine } from './fake-engine.ts'

function say(verb: string, value: unknown): void {
  process.stdout.write(`${JSON.stringify({ verb, value })}\n`)
}

const shown = ({ log: _log, ...options }: EngineOptions): object => options

run(process.argv.slice(2), {
  openEngine: async (options) => {
    say('open', shown(options))
    const { engine } = fakeEngine()
    return Object.assign(engine, { close: async (how: object) => say('close', how) })
  },
  teardown: async (options) => say('teardown', shown(options)),
})
