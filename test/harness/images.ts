import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { busyboxRoot } from './busybox.ts'
import { cacheDirectory } from './daemon.ts'

/** The tar of a small base image, from Debian's busybox-static; made once. */
export function busyboxTar(): Buffer {
  return readFileSync(cached('busybox.tar', (file, directory) => {
    execFileSync('tar', ['--numeric-owner', '--owner=0', '--group=0', '-C', busyboxRoot(directory), '-cf', file, '.'])
  }))
}

/** The tar of an image with the host's iperf3 and its libraries. */
export function iperfTar(): Buffer {
  return readFileSync(cached('iperf3.tar', (file, directory) => {
    const root = busyboxRoot(directory)
    const libraries = execFileSync('ldd', ['/usr/bin/iperf3'], { encoding: 'utf8' }).match(/\/\S+/g) ?? []
    for (const path of ['/usr/bin/iperf3', ...libraries]) {
      mkdirSync(join(root, dirname(path)), { recursive: true })
      copyFileSync(realpathSync(path), join(root, path))
    }
    execFileSync('tar', ['--numeric-owner', '--owner=0', '--group=0', '-C', root, '-cf', file, '.'])
  }))
}

/** The file of a Debian base image, made by debootstrap from the host's own package mirror; made once. */
export function debianTar(): string {
  return cached('debian.tar', (file, directory) => {
    const root = join(directory, 'debian')
    const mirror = execFileSync('apt-get', ['indextargets', '--format', '$(SITE)'], { encoding: 'utf8' }).split('\n').find((line) => line.endsWith('/debian'))
    execFileSync('debootstrap', ['--variant=minbase', 'bookworm', root, ...(mirror === undefined ? [] : [mirror])], { stdio: 'pipe' })
    execFileSync('sh', ['-c', `rm -rf ${root}/var/cache/apt/archives/*.deb ${root}/dev/*`])
    execFileSync('tar', ['--numeric-owner', '-C', root, '-cf', file, '.'])
  })
}

/** A file of the tests' cache; made under another name and renamed, so that a broken-off run leaves no half of it. */
function cached(name: string, make: (file: string, directory: string) => void): string {
  const file = join(cacheDirectory(), name)
  if (existsSync(file)) return file
  const directory = mkdtempSync(join(tmpdir(), 'engine-image-'))
  try {
    make(join(directory, name), directory)
    renameSync(join(directory, name), file)
    return file
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
