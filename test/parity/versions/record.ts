// Records what a real Docker Engine answers with every version of the API: node test/parity/versions/record.ts unix:///run/docker.sock
// It needs an engine without containers, images and volumes; what is made is taken away again.
import { api } from '../../harness/daemon.ts'
import { VersionedDaemon } from './ask.ts'
import { writeRecording } from './recording.ts'

const socket = (process.argv[2] ?? '').replace(/^unix:\/\//, '')
const { Version } = (await api(socket, 'GET', '/version')).body as { Version: string }
writeRecording(Version, await new VersionedDaemon(socket).ask())
