// npm run docs: writes docs/api.html from the API's schemas.
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { documentationPage } from './steps/api-page.mjs'
import { installDependencies } from './steps/dependencies.mjs'
import { pinnedNode, root } from './steps/places.mjs'
import { program, step } from './steps/report.mjs'

await program(async () => {
  await step('pinned dependencies and Node 24', installDependencies)
  const script = "import('./packages/api/src/openapi.ts').then(({ openApiDocument }) => console.log(JSON.stringify(openApiDocument())))"
  const document = JSON.parse(execFileSync(pinnedNode, ['--no-warnings', '--input-type=module', '-e', script], { cwd: root, encoding: 'utf8', maxBuffer: 64 << 20 }))
  writeFileSync(join(root, 'docs/api.html'), documentationPage(document))
})
