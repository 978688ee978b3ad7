"""What is made of a warehouse for people, from the SQL of the dbt package alone."""
