// npm run build: the shipped programs into dist/.
import { bundle } from './steps/bundle.mjs'
import { installDependencies } from './steps/dependencies.mjs'
import { program, step } from './steps/report.mjs'

await program(async () => {
  await step('pinned dependencies and Node 24', installDependencies)
  await step('build', bundle)
})
