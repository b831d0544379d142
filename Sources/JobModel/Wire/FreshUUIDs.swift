import Glibc

/// Random UUIDs (version 4) as text in lower case, the randomness for many fetched at once.
///
/// Foundation opens a device for each, which costs more than the rest of a message. Made for one
/// call and thrown away: no randomness waits in memory for a fork to double it.
package struct FreshUUIDs {
    /// The bytes of each as text.
    package static let length = 36
    private static let wordsEach = 2
    /// So many at a time, at most.
    private static let portion = 128

    private var words: [UInt64] = []
    private var expected: Int

    /// `count` says how many will be asked for; more can be.
    package init(expecting count: Int = 1) { expected = count }

    /// The next one.
    package mutating func next() -> String {
        let letters = letters()
        return unsafe String(unsafeUninitializedCapacity: Self.length) { text in
            for place in letters.indices { unsafe text[place] = letters[place] }
            return Self.length
        }
    }

    /// Appends the next one.
    mutating func append(to text: inout [UInt8]) {
        let letters = letters()
        unsafe letters.span.withUnsafeBufferPointer { unsafe text.append(contentsOf: $0) }
    }

    @inline(__always)
    private mutating func letters() -> InlineArray<36, UInt8> {
        if words.isEmpty { refill() }
        // Version 4, and the variant of RFC 9562, section 5.4.
        let high = words.removeLast() & 0xffff_ffff_ffff_0fff | 0x4000
        let low = words.removeLast() & 0x3fff_ffff_ffff_ffff | 1 << 63
        var letters = InlineArray<36, UInt8>(repeating: UInt8(ascii: "-"))
        letters.put(high >> 32, at: 0)
        letters.put(high >> 16, at: 9, digits: 4)
        letters.put(high, at: 14, digits: 4)
        letters.put(low >> 48, at: 19, digits: 4)
        letters.put(low >> 32, at: 24, digits: 4)
        letters.put(low, at: 28)
        return letters
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
}

extension InlineArray<36, UInt8> {
    /// Puts the lowest `digits` hexadecimal digits of a word, eight at most, all at once.
    @inline(__always)
    fileprivate mutating func put(_ word: UInt64, at start: Int, digits: Int = 8) {
        // Each digit into a byte of its own, the first one highest.
        var spread = word & 0xffff_ffff
        spread = (spread | spread << 16) & 0x0000_ffff_0000_ffff
        spread = (spread | spread << 8) & 0x00ff_00ff_00ff_00ff
        spread = (spread | spread << 4) & 0x0f0f_0f0f_0f0f_0f0f
        // From ten on the letters begin, 39 further on than the digits would go on.
        let isLetter = (spread &+ 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
        let text = spread &+ 0x3030_3030_3030_3030 &+ isLetter &* 39
        for place in 0..<digits {
            self[start + place] = UInt8(
                truncatingIfNeeded: text >> UInt64((digits - 1 - place) * 8))
        }
    }
}
