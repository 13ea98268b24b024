// npm run bench: medians, and the ratio to Docker or Podman where one is installed (--docker unix:///…), interleaved in one run.
// With --pull instead: pulls and loads of an image of 300 MB, by Podman as well (--docker-network: where Docker's loopback is another); with --build: builds, by `engine build`, BuildKit and the classic builder;
// with --logs: 200 MiB of output, attached and read back; with --network: throughput of networks alone; with --many: what a container's network takes where there are many.
import { join } from 'node:path'
import { checkMachine, installPackages, needed, neededByBench, neededByNetworkBench, neededByTests } from './steps/debian.mjs'
import { bundle } from './steps/bundle.mjs'
import { installDependencies } from './steps/dependencies.mjs'
import { dist, pinnedNode, root } from './steps/places.mjs'
import { program, show, step } from './steps/report.mjs'

await program(async () => {
  checkMachine()
  const only = (/** @type {string} */ mode) => process.argv.includes(mode)
  const networks = !only('--pull') && !only('--build') && !only('--logs')
  await step('Debian packages', () => installPackages([...needed, ...(only('--pull') ? [...neededByTests, ...neededByBench] : []), ...(networks ? neededByNetworkBench : [])]))
  await step('pinned dependencies and Node 24', installDependencies)
  await step('build', bundle)
  return show(pinnedNode, ['--no-warnings', join(root, 'test/bench/main.ts'), ...process.argv.slice(2)], { cwd: root, env: { ...process.env, ENGINE_DIST: dist } })
})
