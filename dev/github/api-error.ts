/** One entry of `errors` in a 422 answer. */
export interface FieldError {
  resource: string;
  field: string;
  code: "missing_field" | "invalid" | "already_exists" | "custom";
  message?: string;
}

const documentation = "https://docs.github.com/rest";

/** Most operations tell the field at fault; some only have a sentence. */
type Reason = FieldError | string;

/** An answer of the API that is not a success: thrown by a route, sent by the server. */
export class ApiError extends Error {
  readonly status: number;
  readonly errors: readonly Reason[] | undefined;

  constructor(status: number, message: string, errors?: readonly Reason[]) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.errors = errors;
  }

  /** The JSON that GitHub sends with this error. */
  get body() {
    return {
      message: this.message,
      ...(this.errors === undefined ? {} : { errors: this.errors }),
      documentation_url: documentation,
      status: String(this.status),
    };
  }
}

/** 404: does not exist, or the caller may not know that it does. */
export function notFound(message = "Not Found"): ApiError {
  return new ApiError(404, message);
}

/** 422 with the fields at fault, as GitHub lists them. */
export function validationFailed(...errors: FieldError[]): ApiError {
  return new ApiError(422, "Validation Failed", errors);
}
