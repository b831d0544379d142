/// A generator whose every number follows from its seed (SplitMix64).
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }

    /// `bytes` with a few changed, removed or repeated; or, at times, nothing but noise.
    mutating func mutation(of bytes: [UInt8]) -> [UInt8] {
        if Int.random(in: 0..<8, using: &self) == 0 {
            return (0..<Int.random(in: 0..<200, using: &self)).map { _ in
                UInt8.random(in: .min ... .max, using: &self)
            }
        }
        var changed = bytes
        for _ in 0..<Int.random(in: 1...4, using: &self) where !changed.isEmpty {
            let index = Int.random(in: changed.indices, using: &self)
            switch Int.random(in: 0..<4, using: &self) {
            case 0: changed[index] = UInt8.random(in: .min ... .max, using: &self)
            case 1: changed.remove(at: index)
            case 2: changed.insert(changed[index], at: index)
            default: changed.removeSubrange(index...)
            }
        }
        return changed
    }
}
