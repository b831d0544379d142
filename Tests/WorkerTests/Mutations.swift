import TestSupport

extension RepeatableRandom {
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
