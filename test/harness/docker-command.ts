import { execFileSync } from 'node:child_process'

const version = ((): string => {
  try {
    return execFileSync('docker', ['--version'], { encoding: 'utf8' })
  } catch {
    return ''
  }
})()

/** For the option `skip` of a test that tries the docker command: `false` where there is one. */
export const dockerMissing = version === '' && 'the docker command is not there'

/** The same for a test that compares with what it prints: another release has other texts. */
export const docker28Missing = !version.includes('version 28.') && 'the docker command 28 is not there'
