export { Label, ProgramFull, Result, type Argument, type CallOptions, type ProgramFailure } from './instruction.ts'
export { machineCode } from './machine-code.ts'
export { Program } from './program.ts'
export { startClock } from './ticks.ts'
