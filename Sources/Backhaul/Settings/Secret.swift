import Foundation

/// Text that must not be shown: every description of it is redacted, also under `dump`.
///
/// Only ``revealed`` gives the text, so a search for that word finds every place that uses a secret.
struct Secret: Sendable, Equatable {
    /// The text itself, for the one call that needs it.
    let revealed: String

    private let redacted: String

    /// A secret of which nothing is shown.
    init(_ text: String) {
        revealed = text
        redacted = "<secret>"
    }

    private init(revealed: String, redacted: String) {
        self.revealed = revealed
        self.redacted = redacted
    }

    /// A server's address whose user and password, query and fragment are not shown.
    ///
    /// libpq takes passwords in the query as well (`?password=`), so a query is hidden whole.
    static func url(_ text: String) -> Secret {
        Secret(revealed: text, redacted: redactedURL(text))
    }

    private static func redactedURL(_ text: String) -> String {
        guard let schemeEnd = text.range(of: "://") else { return "<secret>" }
        var rest = text[schemeEnd.upperBound...]
        var tail = ""
        if let end = rest.firstIndex(where: { $0 == "?" || $0 == "#" }) {
            tail = "?***"
            rest = rest[..<end]
        }
        // The last @: a password that was not percent-encoded may hold one.
        if let end = rest.lastIndex(of: "@") {
            let address = rest[rest.index(after: end)...]
            return text[..<schemeEnd.upperBound] + "***@" + address + tail
        }
        return text[..<schemeEnd.upperBound] + rest + tail
    }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    var description: String { redacted }

    var debugDescription: String { redacted }

    var customMirror: Mirror { Mirror(self, children: ["redacted": redacted]) }
}
