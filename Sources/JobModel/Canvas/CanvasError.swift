/// Why a workflow cannot be carried on as it is written.
public struct CanvasError: Error, Sendable, Hashable, CustomStringConvertible {
    /// A stable word: `canvas.malformed`, `canvas.empty`, `canvas.replaced_too_often`,
    /// `canvas.too_large`, `canvas.payload`.
    package let code: String
    /// One sentence that names the field.
    public let message: String

    package init(code: String, message: String) {
        self.code = code
        self.message = message
    }

    static func malformed(_ field: String, _ wanted: String, _ found: JSONValue?) -> CanvasError {
        CanvasError(
            code: "canvas.malformed",
            message: "\"\(field)\" must be \(wanted), not \(found?.kind ?? "absent")")
    }

    /// The message.
    public var description: String { message }
}
