import Glibc

/// Random UUIDs (version 4) as text in lower case, the randomness for many fetched at once.
///
/// Foundation opens a device for each, which costs more than the rest of a message. Made for one
/// call and thrown away: no randomness waits in memory for a fork to double it.
package struct FreshUUIDs {
    private static let digits = [UInt8]("0123456789abcdef".utf8)
    private static let wordsEach = 2
    /// So many at a time, at most.
    private static let portion = 128

    private var words: [UInt64] = []
    private var expected: Int

    /// `count` says how many will be asked for; more can be.
    package init(expecting count: Int = 1) { expected = count }

    /// The next one.
    package mutating func next() -> String {
        if words.isEmpty { refill() }
        let (high, low) = (words.removeLast(), words.removeLast())
        // Version 4, and the variant of RFC 9562, section 5.4.
        return Self.text(
            high & 0xffff_ffff_ffff_0fff | 0x4000, low & 0x3fff_ffff_ffff_ffff | 1 << 63)
    }

    private mutating func refill() {
        let count = max(1, min(expected, Self.portion))
        expected -= count
        words = [UInt64](repeating: 0, count: count * Self.wordsEach)
        unsafe words.withUnsafeMutableBytes { bytes in
            guard let start = bytes.baseAddress else { preconditionFailure("it is not empty") }
            unsafe arc4random_buf(start, bytes.count)
        }
    }

    private static func text(_ high: UInt64, _ low: UInt64) -> String {
        let digits = digits
        return unsafe String(unsafeUninitializedCapacity: 36) { text in
            var place = 0
            for nibble in 0..<32 {
                if nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20 {
                    unsafe text[place] = UInt8(ascii: "-")
                    place += 1
                }
                let word = nibble < 16 ? high : low
                let digit = digits[Int(word >> UInt64(60 - nibble % 16 * 4) & 0xf)]
                unsafe text[place] = digit
                place += 1
            }
            return place
        }
    }
}
