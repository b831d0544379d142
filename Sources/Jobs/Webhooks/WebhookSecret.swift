import Crypto
import JobModel

/// A key shared with an endpoint: `whsec_` and 24 to 64 bytes in base64.
///
/// Source: Standard Webhooks 1.0.0, "Signature scheme". Never printed: it describes itself as its
/// prefix only.
package struct WebhookSecret: Sendable, Equatable, CustomStringConvertible {
    private static let prefix = "whsec_"
    private static let lengths = 24...64
    /// How many bytes a new one has.
    private static let freshLength = 32

    /// As it is stored and shown to its owner once.
    package let text: String
    let key: SymmetricKey

    /// A secret that cannot be used; says why, without it.
    package struct Unusable: Error, CustomStringConvertible {
        package let description: String
    }

    /// Reads a secret.
    package init(_ text: String) throws(Unusable) {
        guard text.utf8.starts(with: Self.prefix.utf8) else {
            throw Unusable(description: "a webhook secret begins with \(Self.prefix)")
        }
        var digits = Array(text.utf8.dropFirst(Self.prefix.utf8.count))
        while !digits.count.isMultiple(of: 4) { digits.append(UInt8(ascii: "=")) }
        guard let bytes = Base64.decoded(digits.span), Self.lengths.contains(bytes.count) else {
            throw Unusable(
                description: "a webhook secret is base64 of \(Self.lengths.lowerBound) to "
                    + "\(Self.lengths.upperBound) bytes")
        }
        self.text = text
        key = SymmetricKey(data: bytes)
    }

    /// Makes a new secret.
    package init(using random: inout some RandomNumberGenerator) {
        let bytes = (0..<Self.freshLength).map { _ in UInt8.random(in: 0...255, using: &random) }
        text = Self.prefix + Base64.encoded(bytes)
        key = SymmetricKey(data: bytes)
    }

    package var description: String { "\(Self.prefix)…" }
}
