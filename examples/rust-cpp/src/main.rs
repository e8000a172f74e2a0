unsafe extern "C" {
    /// Sorts numbers in place, each once, and gives how many are left.
    fn sorted(numbers: *mut i32, count: usize) -> usize;
}

fn main() {
    let mut numbers = vec![3, 1, 2, 3, 1];
    // SAFETY: the pointer and the count are those of one vector, and no more numbers are left.
    let count = unsafe { sorted(numbers.as_mut_ptr(), numbers.len()) };
    numbers.truncate(count);
    println!("{numbers:?}");
}
