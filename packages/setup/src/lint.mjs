// npm run lint: types, then rules that need types. No warning is let through.
import { join } from 'node:path'
import { installDependencies } from './steps/dependencies.mjs'
import { root } from './steps/places.mjs'
import { program, show, step } from './steps/report.mjs'

await program(async () => {
  await step('pinned dependencies and Node 24', installDependencies)
  const bin = (/** @type {string} */ name) => join(root, 'node_modules/.bin', name)
  process.stdout.write('• types\n')
  const types = await show(bin('tsc'), ['-p', 'tsconfig.json'], { cwd: root })
  process.stdout.write('• lint\n')
  const lint = await show(bin('oxlint'), ['--type-aware', '--deny-warnings', 'packages', 'test'], { cwd: root })
  return types !== 0 || lint !== 0 ? 1 : 0
})
