export { startDaemon, type RunningDaemon } from './daemon.ts'
