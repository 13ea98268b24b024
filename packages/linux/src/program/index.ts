export { Label, Program, ProgramFull, Result, type Argument, type CallOptions, type ProgramFailure } from './program.ts'
export { machineCode } from './machine-code.ts'
export { startClock } from './ticks.ts'
