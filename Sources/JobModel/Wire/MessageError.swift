/// Why a message cannot be run; the message itself is kept in quarantine.
package struct MessageError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A stable word; the part before the dot says where the fault is.
    ///
    /// `envelope.json`, `.depth`, `.shape`, `.too_large`; `header.id`, `.task`, `.retries`, `.eta`,
    /// `.expires`, `.timelimit`, `.ignore_result`, `.root_id`, `.parent_id`, `.group`;
    /// `body.missing`, `.content_type`, `.content_encoding`, `.base64`, `.compression`,
    /// `.too_large`, `.json`, `.depth`, `.type`, `.shape`, `.args`, `.kwargs`, `.embed`.
    package let code: String
    /// One sentence that names the field.
    package let message: String
    /// The id, when it could be read all the same.
    package let id: String?
    /// The task name, when it could be read all the same.
    package let name: String?

    package init(code: String, message: String, id: String? = nil, name: String? = nil) {
        self.code = code
        self.message = message
        self.id = id
        self.name = name
    }

    package var description: String { message }
}

extension MessageError {
    /// The error for JSON text that cannot be read: `<part>.json` or `<part>.depth`.
    init(_ error: JSONError, in part: String, id: String? = nil, name: String? = nil) {
        self.init(
            code: error.code == .depth ? "\(part).depth" : "\(part).json",
            message: "the \(part) is not usable JSON: \(error)", id: id, name: name)
    }

    /// The same error with the id and name of the message it is about.
    func about(id: String?, name: String?) -> MessageError {
        MessageError(code: code, message: message, id: self.id ?? id, name: self.name ?? name)
    }
}
