import { existsSync, lstatSync, readFileSync, readdirSync, realpathSync } from 'node:fs'
import { join, relative } from 'node:path'
import { humanSize } from '../output/human.ts'
import { Ignore, readIgnoreFile } from './dockerignore.ts'

/**
 * Says what of a directory a build would be sent, and which line of which file leaves each other path out.
 * @param dockerfile as `--file` names it
 */
export function listContext(directory: string, dockerfile: string | undefined): string {
  const root = realpathSync(directory)
  const candidates = [...(dockerfile === undefined || dockerfile === '-' ? [join(root, 'Dockerfile.dockerignore')] : [`${dockerfile}.dockerignore`]), join(root, '.dockerignore')]
  const file = candidates.find((path) => existsSync(path))
  const text = file === undefined ? '' : readFileSync(file, 'utf8')
  const ignore = new Ignore(readIgnoreFile(text))
  const shown = file === undefined ? '' : relative(root, file)
  const lines: string[] = []
  const total = { files: 0, bytes: 0, left: 0 }
  const walk = (above: string): void => {
    for (const name of readdirSync(join(root, above)).sort()) {
      const path = above === '' ? name : `${above}/${name}`
      const stat = lstatSync(join(root, path))
      const rule = ignore.rule(path)
      if (rule !== undefined) {
        total.left++
        lines.push(`- ${path}${stat.isDirectory() ? '/' : ''}\t${shown}: ${rule}`)
        if (stat.isDirectory() && ignore.mayReturn(path)) walk(path)
        continue
      }
      if (stat.isDirectory()) {
        walk(path)
        continue
      }
      total.files++
      total.bytes += stat.isFile() ? stat.size : 0
      lines.push(`+ ${path}\t${humanSize(stat.size, 4)}`)
    }
  }
  walk('')
  return `${lines.join('\n')}${lines.length === 0 ? '' : '\n'}${total.files} files, ${humanSize(total.bytes, 4)}; ${total.left} paths are left out\n`
}
