// npm start: from a fresh machine to a running container. Runs on any Node from 18 on; everything after it on the pinned one.
import { checkMachine, installPackages, needed } from './steps/debian.mjs'
import { bundle } from './steps/bundle.mjs'
import { demonstrate } from './steps/demonstration.mjs'
import { installDependencies } from './steps/dependencies.mjs'
import { installPrograms, installUnits } from './steps/install.mjs'
import { program, step } from './steps/report.mjs'
import { startDaemon } from './steps/daemon.mjs'

await program(async () => {
  checkMachine()
  await step('Debian packages', () => installPackages(needed))
  await step('pinned dependencies and Node 24', installDependencies)
  await step('build', bundle)
  await step('programs to /usr/local', installPrograms)
  await step('systemd units', installUnits)
  await step('daemon', startDaemon)
  await demonstrate()
})
