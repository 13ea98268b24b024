/** One thing that a packet meets on its way. */
export interface TraceStep {
  /** `source`, `destination`, `translation`, `route`, `filter`, `bridge`, `namespace`, `listener` */
  Step: string
  /** The way goes on behind it. */
  Passes: boolean
  Detail: string
  /** What can be done about it. */
  Hint?: string
}

/** GET /net/trace */
export interface TraceView {
  From: string
  To: string
  Protocol: string
  /** Every step passes. */
  Reaches: boolean
  Steps: TraceStep[]
}
