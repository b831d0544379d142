import Crypto
import Foundation

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
        guard text.hasPrefix(Self.prefix) else {
            throw Unusable(description: "a webhook secret begins with \(Self.prefix)")
        }
        var digits = String(text.dropFirst(Self.prefix.count))
        while !digits.utf8.count.isMultiple(of: 4) { digits += "=" }
        guard let bytes = Data(base64Encoded: digits), Self.lengths.contains(bytes.count) else {
            throw Unusable(
                description: "a webhook secret is base64 of \(Self.lengths.lowerBound) to "
                    + "\(Self.lengths.upperBound) bytes")
        }
        self.text = text
        key = SymmetricKey(data: bytes)
    }

    /// Makes a new secret.
    package init(using random: inout some RandomNumberGenerator) {
        let bytes = Data(
            (0..<Self.freshLength).map { _ in UInt8.random(in: 0...255, using: &random) })
        text = Self.prefix + bytes.base64EncodedString()
        key = SymmetricKey(data: bytes)
    }

    package var description: String { "\(Self.prefix)…" }
}
