/** Where the gate says what people should know. Any logger of the usual kind will do. */
export interface Log {
  info(what: object, message: string): void;
  warn(what: object, message: string): void;
  error(what: object, message: string): void;
}
