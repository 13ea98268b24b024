import { openEngine, teardown } from '@engine/engine'
import { run } from './run.ts'

run(process.argv.slice(2), { openEngine, teardown })
