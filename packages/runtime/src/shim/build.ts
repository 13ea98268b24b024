import { statSync, type Stats } from 'node:fs'

/**
 * What a shim was started from: the files of its program and of Node, by device and inode. An installation that replaces files
 * (and never writes into them) is so told from one that leaves them as they are.
 * @param program path of engine-shim
 * @param node    path of Node; a bind mount of it is as good
 * @returns undefined when one of them is not there
 */
export function shimBuild(program: string, node: string): string | undefined {
  const files = [program, node].map((path) => statSync(path, { throwIfNoEntry: false }))
  return files.every((file): file is Stats => file !== undefined) ? files.map(({ dev, ino }) => `${dev}:${ino}`).join(' ') : undefined
}
